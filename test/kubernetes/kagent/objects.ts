import { importKagent } from '../../../src/kubernetes/kagent/import.ts';
import type { KagentImport } from '../../../src/kubernetes/kagent/types.ts';

export type Json = Readonly<Record<string, unknown>>;
type Annotations = Readonly<Record<string, string>>;

/** An object of kagent, in its namespace. */
export function kagent(kind: string, name: string, spec: Json, annotations?: Annotations): Json {
  const version = kind === 'MCPServer' ? 'v1alpha1' : 'v1alpha2';
  return given(`kagent.dev/${version}`, kind, { name, spec, annotations });
}

/** A Service, in the namespace of kagent. */
export function service(name: string, spec: Json, annotations?: Annotations): Json {
  return given('v1', 'Service', { name, spec, annotations });
}

function given(
  apiVersion: string,
  kind: string,
  { name, spec, annotations }: { name: string; spec: Json; annotations: Annotations | undefined },
): Json {
  const metadata = { name, namespace: 'kagent', ...(annotations === undefined ? {} : { annotations }) };
  return { apiVersion, kind, metadata, spec };
}

/** An object of ours, in the namespace of kagent. */
export function ours(kind: string, name: string, spec: Json): Json {
  return { apiVersion: 'onbehalf.dev/v1alpha1', kind, metadata: { name, namespace: 'kagent' }, spec };
}

/** An agent of kagent with these tools. */
export function agentWith(tools: readonly Json[], annotations?: Annotations): Json {
  const spec = { type: 'Declarative', declarative: { systemMessage: 'Be kind.', tools } };
  return kagent('Agent', 'assistant', spec, annotations);
}

/** A reference to a server of kagent. */
export function serverTool(name: string, fields: Json = {}): Json {
  return {
    type: 'McpServer',
    mcpServer: { apiGroup: 'kagent.dev', kind: 'RemoteMCPServer', name, ...fields },
  };
}

/** A server of kagent. */
export function remoteServer(name: string, fields: Json = {}, annotations?: Annotations): Json {
  const spec = { description: 'A server.', url: `https://${name}.example.com/mcp`, ...fields };
  return kagent('RemoteMCPServer', name, spec, annotations);
}

/** Imports what must be without problems. */
export function imported(...objects: readonly unknown[]): readonly Json[] {
  const { objects: made, problems } = importKagent(objects);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return made as readonly Json[];
}

/** The problems, each as `KIND FIELD: REASON`, and the messages. */
export function told({ problems }: KagentImport): readonly string[] {
  return problems.map(({ object, field, reason }) => `${object.kind} ${field}: ${reason}`);
}
