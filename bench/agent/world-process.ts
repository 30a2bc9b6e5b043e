// A child process: the STS and two MCP servers, which verify each token.
import { createDevelopmentSts } from 'onbehalf/sts';
import { startMcpServer } from '../../examples/demo/mcp-server.ts';
import { answerParent } from '../child.ts';
import { AGENT, CLIENT_SECRET, SERVERS, type WorldFacts, type WorldQuestion } from './facts.ts';

const sts = await createDevelopmentSts({
  clients: [
    {
      ...{ clientId: AGENT, clientSecret: CLIENT_SECRET, authentication: 'client_secret_basic' },
      audiences: [...SERVERS],
    },
  ],
  users: Array.from({ length: 256 }, (_, index) => ({ sub: `user-${index}` })),
});
const servers = await Promise.all(
  SERVERS.map((name) =>
    startMcpServer({
      ...{ name, audience: name, issuer: sts.issuer, jwksUri: sts.jwksUri },
      tools: [
        {
          ...{ name: `${name}_tool`, description: `The tool of ${name}.` },
          inputSchema: { type: 'object', properties: {} },
          run: (_args, { sub }) => `${name} of ${sub}`,
        },
      ],
    }),
  ),
);

answerParent<WorldQuestion>({
  facts: (): WorldFacts => ({
    issuer: sts.issuer,
    servers: servers.map(({ name, url }) => ({ name, url })),
  }),
  mint: ({ subs, audience }) =>
    Promise.all(subs.map((sub) => sts.mintSubjectToken({ sub, audience, expiresIn: 3_600 }))),
  calls: () => {
    const requests = servers.flatMap((server) => server.takeRequests());
    const calls = requests.filter(({ method }) => method === 'tools/call');
    return {
      requests: requests.length,
      calls: calls.length,
      failed: calls.filter(({ status }) => status !== 200).length,
    };
  },
});
