import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startAgentServer } from '../../src/agent/agent-server.ts';
import type { AgentFolder } from '../../src/agent/load-config.ts';
import { createReloader } from '../../src/agent/reload.ts';
import { createGate } from '../mcp/support.ts';
import { AGENT, callsAt, configOf, folderOf, message, rpc, send, setStage } from './support.ts';

/** An agent that calls the calendar, and what its folder may become. */
async function setReloadable() {
  const stage = await setStage();
  const gate = createGate();
  onTestFinished(() => gate.open());
  const calendar = await stage.mcp('calendar', { onCall: () => gate.wait() });
  const mail = await stage.mcp('mail');
  const folder = folderOf(configOf(stage, [calendar]));
  const server = await startAgentServer({
    ...{ folder, port: 0, graceMs: 2_000, reloadIntervalMs: 0 },
  });
  onTestFinished(() => server.close());
  const write = (config: unknown): void => {
    writeFileSync(join(folder, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  };
  const alice = await stage.token('alice');
  return { stage, gate, calendar, mail, server, write, alice };
}

test('files that have changed are for new runs; a run under way ends as it began', async () => {
  const { stage, gate, calendar, mail, server, write, alice } = await setReloadable();
  const running = send(server, alice);
  await gate.reached(1);

  write(configOf(stage, [mail]));
  expect(await server.reload()).toBe('reloaded');
  const after = await send(server, alice);
  expect(after.body.result.status.state).toBe('completed');
  expect(callsAt(mail)).toEqual([`alice for mail by ${AGENT}: 200`]);
  expect(calendar.openSessions).toBeGreaterThan(0);

  gate.open();
  expect((await running).body.result.status.state).toBe('completed');
  expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
  await expect.poll(() => calendar.openSessions).toBe(0);
  expect(await server.reload()).toBe('unchanged');
});

test('a task of a run that began before is cancelled as ever', async () => {
  const { stage, gate, calendar, mail, server, write, alice } = await setReloadable();
  const begun = await rpc(server, alice, 'message/send', message('Go.', {}, { blocking: false }));
  await gate.reached(1);
  write(configOf(stage, [mail]));
  await server.reload();

  const { body } = await rpc(server, alice, 'tasks/cancel', { id: begun.body.result.id });

  expect(body.result.status.state).toBe('canceled');
  await expect.poll(() => calendar.openSessions).toBe(0);
});

test('a conversation goes on by the new files, and stays its owner’s', async () => {
  const { stage, gate, mail, server, write, alice } = await setReloadable();
  gate.open();
  const first = await send(server, alice);
  const { contextId } = first.body.result;
  write(configOf(stage, [mail], { name: 'team/renamed' }));
  await server.reload();

  const second = await send(server, alice, { contextId });
  expect(second.body.result).toMatchObject({ contextId, status: { state: 'completed' } });
  const foreign = await send(server, await stage.token('bob'), { contextId });
  expect(foreign.body.error.message).toMatch(/not yours/);
});

test('whose tokens are taken is as in the new files, and so is the card', async () => {
  const { stage, calendar, gate, server, write, alice } = await setReloadable();
  gate.open();
  const config = configOf(stage, [calendar]);
  write({ ...config, authentication: { ...Object(config.authentication), audience: 'somebody-else' } });
  await server.reload();

  expect((await send(server, alice)).status).toBe(401);
  expect((await send(server, await stage.token('alice', 'somebody-else'))).status).toBe(200);
});

test.each([
  ['no JSON', '{', /is not valid JSON/],
  ['a wrong field', { model: 7 }, /model/],
  ['a field that cannot be served', { model: null }, /model: is null/],
])('with %s the agent goes on as it is', async (_what, bad, message) => {
  const { gate, calendar, server, write, alice } = await setReloadable();
  gate.open();
  write(bad);

  await expect(server.reload()).rejects.toThrow(message);

  expect((await send(server, alice)).body.result.status.state).toBe('completed');
  expect(callsAt(calendar)).toHaveLength(1);
});

const folderWith = (digest: string): AgentFolder => ({ digest }) as AgentFolder;

test('it looks by itself, tells once of files that are wrong, and takes them when they are good', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const found: (AgentFolder | Error)[] = [];
  const [applied, refused]: [string[], string[]] = [[], []];
  const reloader = createReloader({
    first: folderWith('one'),
    load: async () => {
      const next = found.shift() ?? folderWith('one');
      if (next instanceof Error) throw next;
      return next;
    },
    apply: async ({ digest }) => void applied.push(digest),
    intervalMs: 5_000,
    onRefused: (error) => refused.push(String(error)),
  });
  found.push(folderWith('one'), new TypeError('bad'), new TypeError('bad'), new TypeError('worse'));
  found.push(folderWith('two'), folderWith('two'), new TypeError('worse'));

  await vi.advanceTimersByTimeAsync(35_000);
  expect(applied).toEqual(['two']);
  expect(refused).toEqual(['TypeError: bad', 'TypeError: worse', 'TypeError: worse']);

  reloader.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(applied).toEqual(['two']);
});
