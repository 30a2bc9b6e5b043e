// Whether anything is left of runs that are over. The server is a process of its own, so that nothing else is counted; over 20,000
// runs it is measured by `npm run bench -- agent`.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import type { AgentServer } from '../../src/agent/types.ts';
import { installAgent } from '../cli/agent-process.ts';
import { configOf, folderOf, send, setStage } from './support.ts';

/** Contexts that are remembered: few, so that nearly every run throws one out. */
const CONTEXTS = 24;
const USERS = 24;
/** Runs of each user before it is counted first, and from then on. */
const [WARM_UP, MORE] = [6, 12];
/** An object that each run leaves behind would be as many more. */
const MORE_RUNS = USERS * MORE;
/** Nothing is left, but what is compiled meanwhile is; a context that were remembered would be 12 KiB. */
const LEFT_BYTES = 10 * 1024;
const POLL = { timeout: 10_000 };

/** Counts what there is after a collection, of kinds of which runs make many. */
const PROGRAM = `
import { EventEmitter } from 'node:events';
import { queryObjects } from 'node:v8';
import { InvocationContext, Runner } from '@google/adk';
import { startAgentServer } from 'onbehalf/agent';
const [folder, maxContexts] = process.argv.slice(-2);
const kinds = { InvocationContext, Runner, EventEmitter, AbortController, Promise, Set };
const server = await startAgentServer({ folder, port: 0, adminPort: 0, maxContexts: Number(maxContexts) });
process.on('message', () => {
  const counts = Object.entries(kinds).map(([name, kind]) => [name, queryObjects(kind, { format: 'count' })]);
  process.send({ objects: Object.fromEntries(counts), heap: process.memoryUsage().heapUsed });
});
process.send({ url: server.url, adminUrl: server.adminUrl });
`;

interface Counts {
  readonly objects: Readonly<Record<string, number>>;
  readonly heap: number;
}

async function startServer(folder: string): Promise<{ server: AgentServer; child: ChildProcess }> {
  const cwd = installAgent();
  const args = ['--no-warnings', '--input-type=module', '-e', PROGRAM, folder, String(CONTEXTS)];
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  onTestFinished(async () => {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const [server] = (await once(child, 'message')) as [AgentServer];
  return { server, child };
}

/** Lets every user send so many messages, one after the other, each in a context of its own. */
async function run(server: AgentServer, tokens: readonly string[], each: number): Promise<void> {
  const user = async (token: string): Promise<void> => {
    for (let done = 0; done < each; done++) {
      const { body } = await send(server, token);
      expect(body.result.status.state).toBe('completed');
    }
  };
  await Promise.all(tokens.map(user));
}

/** What the server says of itself. */
async function gauges({ adminUrl }: AgentServer): Promise<Readonly<Record<string, number>>> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  return Object.fromEntries(
    ['runs', 'contexts', 'tokens'].map((name) => [
      name,
      Number(text.match(new RegExp(`^onbehalf_agent_${name} (\\d+)$`, 'm'))?.[1]),
    ]),
  );
}

test('of runs that are over nothing is left but the contexts that are remembered', {
  timeout: 180_000,
}, async () => {
  const users = Array.from({ length: USERS }, (_, index) => `user-${index}`);
  const stage = await setStage({ users: users.map((sub) => ({ sub })) });
  const servers = [await stage.mcp('calendar'), await stage.mcp('mail')];
  const tokens = await Promise.all(users.map((sub) => stage.token(sub)));
  const { server, child } = await startServer(folderOf(configOf(stage, servers)));
  const count = async (): Promise<Counts> => {
    // Each run ends its sessions, after its answer. One may be left at each server, in which tools were listed.
    await expect
      .poll(() => Math.max(...servers.map(({ openSessions }) => openSessions)), POLL)
      .toBeLessThanOrEqual(1);
    await expect.poll(() => gauges(server), POLL).toEqual({ runs: 0, contexts: CONTEXTS, tokens: 0 });
    child.send('count');
    const [counts] = (await once(child, 'message')) as [Counts];
    return counts;
  };

  await run(server, tokens, WARM_UP);
  const before = await count();
  await run(server, tokens, MORE);
  const after = await count();

  const more = Object.keys(before.objects).filter(
    (kind) => (after.objects[kind] ?? 0) - (before.objects[kind] ?? 0) >= MORE_RUNS / 2,
  );
  expect(more).toEqual([]);
  // Connections that were opened in runs are kept, and with them whatever these runs hold.
  expect(after.objects).toMatchObject({ InvocationContext: 0 });
  expect(after.heap - before.heap).toBeLessThan(MORE_RUNS * LEFT_BYTES);
});
