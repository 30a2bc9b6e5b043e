// The agent as a process: killed in the middle of its work, and as kagent starts an image.
import { expect, test } from 'vitest';
import { installAgent, startAgent } from '../cli/agent-process.ts';
import { createGate } from '../mcp/support.ts';
import { AGENT, callsAt, configOf, folderOf, message, rpc, send, setStage } from './support.ts';

/** A process that starts up beside others needs its time. */
const POLL = { timeout: 10_000 };

/** The first line of `--json`, as far as requests need it. */
const serverOf = async (started: Promise<string>) => JSON.parse(await started);

test('one that is killed under load and started again acts for nobody but its callers, and leaves no session when it is stopped', async () => {
  const users = Array.from({ length: 20 }, (_, index) => `user-${index}.`);
  const stage = await setStage({ users: users.map((sub) => ({ sub })) });
  let gate = createGate();
  const calendar = await stage.mcp('calendar', { onCall: () => gate.wait() });
  const config = folderOf(configOf(stage, [calendar]));
  const [folder, args] = [installAgent(), ['--filepath', config, '--port', '0', '--json']];
  const tokens = new Map(await Promise.all(users.map(async (sub) => [sub, await stage.token(sub)] as const)));
  const contextId = 'the-same-for-all';

  const first = startAgent(folder, args);
  const before = await serverOf(first.started);
  const running = users.map((sub) => send(before, tokens.get(sub)).catch(() => 'gone'));
  await gate.reached(users.length);
  first.child.kill('SIGKILL');
  expect(await Promise.all(running)).toEqual(users.map(() => 'gone'));
  const killed = await first.exit;
  gate.open();
  // A dead process can end none of its sessions; only the server's own limit does.
  const left = calendar.openSessions;
  expect(left).toBeGreaterThanOrEqual(users.length);

  const second = startAgent(folder, args);
  const after = await serverOf(second.started);
  const answers = await Promise.all(users.map((sub) => send(after, tokens.get(sub), { contextId })));
  // Whoever came first has the context; nobody else is let in.
  const entered = answers.filter(({ body }) => body.result?.status.state === 'completed');
  expect(entered).toHaveLength(1);
  const refused = answers.filter(({ body }) => /not yours/.test(body.error?.message ?? ''));
  expect(refused).toHaveLength(users.length - 1);
  const [owner = ''] = users.filter((_, index) => answers[index] === entered[0]);

  gate = createGate();
  const draining = Promise.all(users.map((sub) => send(after, tokens.get(sub))));
  await gate.reached(users.length);
  expect(calendar.openSessions).toBeGreaterThanOrEqual(left + users.length);
  second.child.kill('SIGTERM');
  // It takes nobody new, and waits for those who are there.
  await expect.poll(() => fetch(`${after.url}/health`).catch(() => 'closed'), POLL).toBe('closed');
  gate.open();
  const drained = await draining;
  const { code, out, err } = await second.exit;

  for (const [index, { body, text }] of drained.entries()) {
    expect(body.result.status.state).toBe('completed');
    expect(new Set(text.match(/calendar of user-\d+\./g))).toEqual(new Set([`calendar of ${users[index]}`]));
  }
  const expected = [...users, owner, ...users].map((sub) => `${sub} for calendar by ${AGENT}: 200`);
  expect(callsAt(calendar).toSorted()).toEqual(expected.toSorted());
  expect([code, err, calendar.openSessions]).toEqual([0, '', left]);
  for (const token of stage.tokens) expect(out + killed.out + killed.err).not.toContain(token);
}, 60_000);

test('it meets what kagent expects of an image: args, port, card, health, JSON-RPC at the root', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const { name: _, ...config } = configOf(stage, [calendar]);
  // As it mounts them, with the fields that a bring-your-own agent of v0.10 gets, and what we add.
  const folder = folderOf(
    { ...config, sse_tools: null, remote_agents: null, stream: null },
    {
      ...{ name: 'helper', description: 'Helps.', url: 'http://helper.team:8080', version: '' },
      ...{
        capabilities: { streaming: true },
        defaultInputModes: ['text'],
        defaultOutputModes: ['text'],
        skills: [],
      },
    },
  );
  const { child, started, exit } = startAgent(
    installAgent(),
    ['--host', '0.0.0.0', '--port', '0', '--filepath', folder, '--json'],
    { KAGENT_NAMESPACE: 'team', KAGENT_NAME: 'helper', KAGENT_URL: 'http://kagent-controller:8083' },
  );
  const { name, url } = await serverOf(started);
  const local = { url: url.replace('0.0.0.0', '127.0.0.1') };

  expect(name).toBe('team/helper');
  const card = await fetch(`${local.url}/.well-known/agent-card.json`);
  expect([card.status, await card.json()]).toMatchObject([
    200,
    { name: 'helper', url: 'http://helper.team:8080', capabilities: { streaming: true } },
  ]);
  expect((await fetch(`${local.url}/health`)).status).toBe(200);
  const token = await stage.token('alice');
  const { body } = await rpc(local as never, token, 'message/send', message('Go.'));
  expect(body.result.status.state).toBe('completed');
  expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
  child.kill('SIGTERM');
  expect((await exit).code).toBe(0);
}, 60_000);
