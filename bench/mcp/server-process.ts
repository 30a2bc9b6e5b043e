// The child process: a token endpoint that grants everything, and the MCP servers. None of them verifies a token: what
// that takes is the server's, and would hide what the client takes.
import { startTokenEndpoint } from '../broker/token-endpoint.ts';
import { answerParent } from '../child.ts';
import type { BenchServer } from './bench-server.ts';
import { startPlainServer } from './plain-server.ts';
import { startSdkServer } from './sdk-server.ts';
import type { Counts, McpFacts, Question, ServerName } from './servers.ts';

const endpoint = await startTokenEndpoint();
const servers: Readonly<Record<ServerName, BenchServer>> = {
  sdk: await startSdkServer(),
  plain: await startPlainServer({ answers: 'json', tellsSubject: false }),
  calendar: await startPlainServer({ answers: 'json', tellsSubject: true }),
  mail: await startPlainServer({ answers: 'events', tellsSubject: true }),
};

const each = <T>(of: (server: BenchServer) => T): Record<ServerName, T> =>
  Object.fromEntries(Object.entries(servers).map(([name, server]) => [name, of(server)])) as Record<
    ServerName,
    T
  >;

answerParent<Question>({
  facts: (): McpFacts => ({ tokenEndpoint: endpoint.url, urls: each(({ url }) => url) }),
  counts: (): Counts => ({ exchanges: endpoint.requests, servers: each((server) => server.counts()) }),
  // Before a crowd comes: what was the most before is of no interest.
  forgetMost: () => void each((server) => Object.assign(server.counts(), { most: 0 })),
});
