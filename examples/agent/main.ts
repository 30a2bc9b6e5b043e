// The two MCP servers that config.json names: `onbehalf agent --filepath examples/agent` calls them for its users. They take tokens of
// `onbehalf sts` only, each for itself only, and print who called: the user, and the agent that acts.
import { startMcpServer } from '../demo/mcp-server.ts';

const issuer = 'http://127.0.0.1:9400';
const servers = [
  { name: 'calendar', port: 9401, tool: 'list_events', answer: 'has two events today' },
  { name: 'mail', port: 9402, tool: 'search_mail', answer: 'has three unread messages' },
];

for (const { name, port, tool, answer } of servers) {
  const server = await startMcpServer({
    ...{ name, port, issuer, audience: name, jwksUri: `${issuer}/jwks` },
    tools: [
      {
        name: tool,
        description: `What the ${name} of the user says.`,
        inputSchema: { type: 'object', properties: {} },
        run(_args, { sub, act, aud }) {
          console.log(
            `${name}: ${tool} for ${sub}, by ${act ?? 'nobody'}, with a token for ${aud.join(', ')}`,
          );
          return `${sub} ${answer}`;
        },
      },
    ],
  });
  console.log(`${name} listens at ${server.url}`);
}
