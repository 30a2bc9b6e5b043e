import type { Broker } from '../../../../src/index.ts';
import type { TestServer } from '../../../isolation/client-under-test.ts';

/** What every adapter is given for a server. */
export function serverOptions(broker: Broker, { url, audience, headers, agentCredential }: TestServer) {
  return { broker, url, target: audience, headers, agentCredential };
}

/** The tool of that name at that server. */
export function toolNamed<T>(
  started: readonly { readonly name: string; readonly tools: Readonly<Record<string, T>> }[],
  server: string,
  tool: string,
): T {
  const found = started.find(({ name }) => name === server)?.tools[tool];
  if (found === undefined) throw new TypeError(`the server ${server} has no tool ${tool}`);
  return found;
}

/** The text of a tool's result. */
export function textOf(result: unknown): string {
  const { content } = Object(result) as { content?: readonly { readonly text?: string }[] };
  return content?.[0]?.text ?? JSON.stringify(result);
}
