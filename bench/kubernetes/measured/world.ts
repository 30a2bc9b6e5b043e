// The objects that the controller is measured with.
import type { ControlPlane } from '../../../test/interop/support/kube-control-plane.ts';
import { AGENTS, SERVERS, TOOLS } from '../measurements.ts';

const NAMESPACE = 'bench';
const API = `/apis/onbehalf.dev/v1alpha1/namespaces/${NAMESPACE}`;
const AT_ONCE = 16;

const object = (kind: string, name: string, spec: object) => ({
  apiVersion: 'onbehalf.dev/v1alpha1',
  kind,
  metadata: { name, namespace: NAMESPACE },
  spec,
});

const nameOf = (index: number): string => `server-${index % SERVERS}`;

/** Every fourth tool has an audience of its own. */
const toolOf = (agent: number, tool: number) => ({
  type: 'McpServer',
  mcpServer: {
    name: nameOf(agent * TOOLS + tool),
    toolNames: ['read', 'write'],
    ...(tool === 0 ? { stsAudience: `audience-of-agent-${agent}` } : {}),
  },
});

/** Makes everything, before a controller is there. */
export async function fillWorld(plane: ControlPlane): Promise<void> {
  await post(plane, '/api/v1/namespaces', { metadata: { name: NAMESPACE } });
  await post(
    plane,
    `${API}/tokenservices`,
    // With a token endpoint, nothing is discovered: no network but that of the API server is measured.
    object('TokenService', 'default', {
      issuer: 'https://sts.example.com',
      tokenEndpoint: 'https://sts.example.com/token',
      clientID: 'agents',
    }),
  );
  const turns = [{ text: 'Done.' }];
  const model = object('ModelConfig', 'model', { provider: 'Scripted', model: 'scripted', turns });
  await post(plane, `${API}/modelconfigs`, model);
  await each(SERVERS, (index) => {
    const url = `https://server-${index}.example.com/mcp`;
    const spec = { description: 'A server.', url, stsAudience: nameOf(index) };
    return post(plane, `${API}/remotemcpservers`, object('RemoteMCPServer', nameOf(index), spec));
  });
  await each(AGENTS, (agent) => {
    const tools = Array.from({ length: TOOLS }, (_, tool) => toolOf(agent, tool));
    const declarative = { modelConfig: 'model', systemMessage: 'Help.', tools };
    return post(plane, `${API}/agents`, object('Agent', `agent-${agent}`, { declarative }));
  });
}

/** Changes the audience of one server. */
export async function changeServer(plane: ControlPlane): Promise<void> {
  const body = { spec: { stsAudience: 'another-audience' } };
  // Tool 1 of agents, which takes the audience from the server.
  const { status } = await plane.api('PATCH', `${API}/remotemcpservers/${nameOf(1)}`, { body });
  if (status !== 200) throw new Error(`the server could not be changed: ${status}`);
}

/** What is wrong in the cluster; nothing, when everything has converged. */
export async function problemsOf(plane: ControlPlane): Promise<readonly string[]> {
  const problems: string[] = [];
  const { body } = await plane.api('GET', `${API}/agents`);
  for (const { metadata, status } of body.items) {
    const accepted = status?.conditions?.find((one: { type: string }) => one.type === 'Accepted');
    if (accepted?.status !== 'True') problems.push(`${metadata.name}: ${accepted?.message ?? 'no status'}`);
  }
  for (const plural of ['secrets', 'services', 'serviceaccounts'] as const) {
    const found = (await plane.api('GET', `/api/v1/namespaces/${NAMESPACE}/${plural}`)).body.items.length;
    if (found !== AGENTS) problems.push(`${found} ${plural}`);
  }
  const deployments = (await plane.api('GET', `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`)).body
    .items;
  if (deployments.length !== AGENTS) problems.push(`${deployments.length} deployments`);
  return problems;
}

async function post(plane: ControlPlane, path: string, body: object): Promise<void> {
  const { status, body: answer } = await plane.api('POST', path, { body });
  if (status !== 201) throw new Error(`${path}: ${status} ${JSON.stringify(answer)}`);
}

async function each(count: number, make: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await make(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}
