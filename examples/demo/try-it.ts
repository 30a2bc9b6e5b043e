// What a person can do with the demo when it is left running.
import { join } from 'node:path';
import type { RecordedRequest } from './mcp-server.ts';
import { AGENT } from './names.ts';
import { PLANS } from './plans.ts';
import type { World } from './world.ts';

/** Commands for another terminal, and where things are. */
export function invitation({ sts, agents, folder }: World): string[] {
  const { url, adminUrl, cardUrl } = agents.assistant;
  const others = PLANS.filter(({ agent, prepare }) => agent === 'assistant' && !prepare);
  return [
    '',
    'Everything is left running; Ctrl-C ends it. In another terminal, a token for alice, and a question:',
    '',
    `TOKEN=$(curl -s ${sts.issuer}/development/subject-token \\`,
    `  -H 'content-type: application/json' -d '{"sub":"alice","audience":"${AGENT}"}' \\`,
    `  | sed 's/.*"subject_token":"\\([^"]*\\)".*/\\1/')`,
    `ask() { curl -sN ${url}/ -H "authorization: Bearer $TOKEN" \\`,
    `  -H 'content-type: application/json' -d '{"jsonrpc":"2.0","id":1,"method":"message/stream",`,
    `  "params":{"message":{"kind":"message","role":"user","messageId":"m1",`,
    `  "parts":[{"kind":"text","text":"'"$1"'"}]}}}'; }`,
    `ask 'Plan my day.'`,
    '',
    'Other things to ask, as the model only follows a script:',
    ...others.filter(({ message }) => message !== 'Plan my day.').map(({ message }) => `  ask '${message}'`),
    'Without a token, and what then is said of where to get one:',
    `  curl -si ${url}/ -d '{}'`,
    'How many tokens were exchanged, and how many are left:',
    `  curl -s ${adminUrl}/metrics | grep -E 'exchanges_total|agent_tokens'`,
    `The agent's card:  ${cardUrl}`,
    `Its config file, which new runs go by a few seconds after a change:`,
    `  ${join(folder, 'assistant', 'config.json')}`,
    '',
    'What the MCP servers see:',
  ];
}

/** A tool call as an MCP server saw it. */
export function witnessLine({ server, tool, status, sub, act, aud }: RecordedRequest): string {
  const who = sub === undefined ? 'no token' : `sub ${sub}, act ${act}, aud ${aud?.join(' ')}`;
  return `${server.padEnd(9)} ${`${tool}: ${status}`.padEnd(20)} ${who}`;
}
