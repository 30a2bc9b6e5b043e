// The child process of the bench: the STS and the MCP server, so that they do not share an event loop with the
// clients being measured. It answers the parent's questions over the fork's channel.
import diagnosticsChannel from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { createDevelopmentSts } from 'onbehalf/sts';
import { startMcpServer } from '../examples/demo/mcp-server.ts';
import { answerParent } from './child.ts';
import type { Question, ServerFacts } from './servers.ts';
import { addTally } from './stats.ts';

const AUDIENCE = 'bench';
const CLIENT = { clientId: 'bench-agent', clientSecret: 'bench-secret-of-a-loopback-process' };
const USERS = 256;
const AGENT = 'bench-agent';

const sts = await createDevelopmentSts({
  clients: [{ ...CLIENT, authentication: 'client_secret_basic', audiences: [AUDIENCE] }],
  // The last one is the agent: its token is minted like a user's, and lies ready as a projected one does in a pod.
  users: [...Array.from({ length: USERS }, (_, index) => `user-${index}`), AGENT].map((sub) => ({ sub })),
});
const server = await startMcpServer({
  name: 'bench',
  audience: AUDIENCE,
  issuer: sts.issuer,
  jwksUri: sts.jwksUri,
  tools: [
    {
      name: 'echo',
      description: 'Gives back what it was given.',
      inputSchema: { type: 'object', properties: { n: { type: 'number' } } },
      run: (args) => JSON.stringify(args),
    },
  ],
});

// Counted where they arrive, whatever client sent them. MCP requests are counted by the MCP server itself.
let stsRequests: Record<string, number> = {};
const stsHost = new URL(sts.issuer).host;
diagnosticsChannel.subscribe('http.server.request.start', (event) => {
  const { request } = event as { request: IncomingMessage };
  if (request.headers.host !== stsHost) return;
  const path = request.url?.split('?')[0] ?? '';
  const kind = path.includes('/.well-known/')
    ? 'sts metadata'
    : path.endsWith('token')
      ? 'sts token'
      : 'sts keys';
  addTally(stsRequests, { [kind]: 1 });
});

answerParent<Question>({
  facts: async (): Promise<ServerFacts> => ({
    client: CLIENT,
    agent: AGENT,
    audience: AUDIENCE,
    issuer: sts.issuer,
    url: server.url,
  }),
  mint: ({ subs, audience }) => Promise.all(subs.map((sub) => sts.mintSubjectToken({ sub, audience }))),
  requests: () => {
    const seen: Record<string, number> = {};
    for (const { method } of server.requests) addTally(seen, { [method]: 1 });
    return addTally(seen, stsRequests);
  },
  forget: () => {
    server.takeRequests();
    stsRequests = {};
  },
  closeSessions: () => server.closeSessions(),
});
