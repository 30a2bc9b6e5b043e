// Two hundred users at one agent, streaming and not, some of whom cancel or leave: who is seen where.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AgentServer } from '../../src/agent/types.ts';
import { AGENT, configOf, message, rpc, serve, setStage } from './support.ts';

const USERS = 200;
const RUNS = 3;

/** What a user does with a message. */
type Manner = 'send' | 'stream' | 'leave' | 'cancel';
const MANNERS: readonly Manner[] = ['send', 'stream', 'leave', 'cancel'];

test('two hundred users at once, some of whom cancel or leave: each is served as themselves, and nobody sees of another', async () => {
  const names = Array.from({ length: USERS }, (_, index) => `user-${index}-${sign(index)}`);
  const stage = await setStage({ users: names.map((sub) => ({ sub })) });
  const servers = [await stage.mcp('calendar'), await stage.mcp('mail')];
  const server = await serve(configOf(stage, servers, { stream: true }), { graceMs: 20_000 });
  const manners = fc.sample(fc.array(fc.constantFrom(...MANNERS), { minLength: RUNS, maxLength: RUNS }), {
    ...{ numRuns: USERS, seed: 20_261_123 },
  });

  const seen = await Promise.all(
    names.map(async (name, index) => {
      const token = await stage.token(name);
      const texts: string[] = [];
      for (const manner of manners[index] ?? []) texts.push(await talk(server, token, manner));
      return { name, token, texts };
    }),
  );
  await server.close();

  for (const { name, texts } of seen) {
    const others = texts.join('\n').match(/user-\d+-[\w-]{8}/g) ?? [];
    expect(others.filter((other) => other !== name)).toEqual([]);
  }
  const finished = seen.flatMap(({ name, texts }) => texts.map((text) => ({ name, text })));
  const complete = finished.filter(({ text }) => text.includes('"completed"'));
  const served = complete.filter(
    ({ name, text }) => text.includes(`calendar of ${name}`) && text.includes(`mail of ${name}`),
  );
  expect(served.length).toBeGreaterThan(USERS);
  for (const mcp of servers) {
    const { name, requests } = mcp;
    const calls = requests.filter(({ method }) => method === 'tools/call');
    expect(calls.length).toBeGreaterThan(USERS);
    // A call of a run that was cancelled may come to a session that has ended.
    const wrong = calls.filter(
      ({ aud, act, status = 0 }) => `${aud} ${act}` !== `${name} ${AGENT}` || ![200, 404].includes(status),
    );
    expect(wrong).toEqual([]);
    const counts = new Map<string, number>();
    for (const { sub = '' } of calls) counts.set(sub, (counts.get(sub) ?? 0) + 1);
    for (const count of counts.values()) expect(count).toBeLessThanOrEqual(RUNS);
    await expect.poll(() => mcp.openSessions).toBe(0);
  }
  const said = seen.flatMap(({ texts }) => texts).join('\n') + stage.log.join('\n');
  for (const token of stage.tokens) expect(said).not.toContain(token.split('.')[2]);
}, 120_000);

/** Something of each name that no other holds. */
const sign = (index: number): string =>
  createHash('sha256').update(`${index}`).digest('base64url').slice(0, 8);

/** @returns all that the user got to see */
async function talk(server: AgentServer, token: string, manner: Manner): Promise<string> {
  if (manner === 'send') return (await rpc(server, token, 'message/send', message('Go.'))).text;
  if (manner === 'cancel') {
    const { body, text } = await rpc(server, token, 'message/send', message('Go.', {}, { blocking: false }));
    const cancelled = await rpc(server, token, 'tasks/cancel', { id: body.result.id });
    return text + cancelled.text;
  }
  const over = new AbortController();
  const response = await fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'message/stream', params: message('Go.') }),
    signal: over.signal,
  });
  let text = '';
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      if (manner === 'leave') over.abort();
    }
  } catch {
    // Whoever leaves hears no more.
  }
  return text;
}

test('a server that is closed under load leaves no session at an MCP server', async () => {
  const stage = await setStage({ users: [{ sub: 'alice' }] });
  const calendar = await stage.mcp('calendar');
  const server = await serve(configOf(stage, [calendar]), { graceMs: 10 });
  const alice = await stage.token('alice');
  const running = Array.from({ length: 16 }, () =>
    rpc(server, alice, 'message/send', message('Go.')).catch(() => undefined),
  );
  await expect.poll(() => calendar.requests.length).toBeGreaterThan(0);

  await server.close();

  await Promise.all(running);
  await expect.poll(() => calendar.openSessions).toBe(0);
});
