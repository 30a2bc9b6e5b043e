import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startAgentServer } from '../../src/agent/agent-server.ts';
import type { IssuerKeys } from '../../src/agent/issuer-keys.ts';
import { createReadiness } from '../../src/agent/readiness.ts';
import type { AgentServer } from '../../src/agent/types.ts';
import { always, json, never, startLoopback } from '../support/loopback.ts';
import { AGENT, configOf, folderOf, send, serve, setStage } from './support.ts';

const readyOf = async ({ url }: AgentServer): Promise<unknown[]> => {
  const response = await fetch(`${url}/ready`);
  return [response.status, await response.json()];
};
const READY = [200, { status: 'ready' }];
const waitingFor = (...issuers: readonly string[]): unknown[] => [
  503,
  { status: 'starting', waiting_for: issuers.map((issuer) => `keys of ${issuer}`) },
];
const jwt = (...issuers: readonly object[]): object => ({
  authentication: { mode: 'jwt', audience: AGENT, issuers },
});
const metricOf = async ({ adminUrl }: AgentServer): Promise<string | undefined> =>
  /^onbehalf_agent_ready (\d)$/m.exec(await (await fetch(`${adminUrl}/metrics`)).text())?.[1];

test('an agent is not ready before the keys of its issuer are there, and then stays so when that goes', async () => {
  const before = await setStage();
  const { issuer } = before.sts;
  await before.sts.close();
  const warnings: string[] = [];
  const server = await serve(configOf(before, []), {
    adminPort: 0,
    onWarning: (text) => warnings.push(text),
  });

  expect(await readyOf(server)).toEqual(waitingFor(issuer));
  expect(await metricOf(server)).toBe('0');
  expect((await send(server, 'no-token')).status).toBe(401);
  await expect.poll(() => warnings).toHaveLength(1);
  expect(warnings[0]).toContain(`the keys of the issuer ${issuer} cannot be had, which is tried again: `);

  const after = await setStage({ port: Number(new URL(issuer).port) });
  await expect.poll(() => readyOf(server), { timeout: 10_000 }).toEqual(READY);
  expect(await metricOf(server)).toBe('1');
  const alice = await after.token('alice');
  await after.sts.close();
  expect((await send(server, alice)).status).toBe(200);
  expect(await readyOf(server)).toEqual(READY);
  expect(warnings).toHaveLength(1);
}, 15_000);

test('keys are fetched before anybody asks, of each issuer, and requests are taken meanwhile', async () => {
  const stage = await setStage();
  const other = await startLoopback(always({}, { status: 500 }));
  const issuer = 'https://idp.example.com';
  const server = await serve({
    ...configOf(stage, []),
    ...jwt({ issuer: stage.sts.issuer }, { issuer, jwks_url: `${other.origin}/jwks` }),
  });

  await expect.poll(() => readyOf(server)).toEqual(waitingFor(issuer));
  expect((await send(server, await stage.token('alice'))).status).toBe(200);
  other.handle(always({ keys: [] }));
  await expect.poll(() => readyOf(server), { timeout: 10_000 }).toEqual(READY);
}, 15_000);

test('token services and tool servers that are down do not keep an agent from being ready', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const keys = await startLoopback(always({ keys: [] }));
  const config = {
    ...configOf(stage, [calendar]),
    ...jwt({ issuer: 'https://idp.example.com', jwks_url: `${keys.origin}/jwks` }),
  };
  await Promise.all([calendar.close(), stage.sts.close()]);
  const server = await serve(config);

  await expect.poll(() => readyOf(server)).toEqual(READY);
});

test.each(['trusted_proxy', 'anonymous'])('an agent for the mode %s is ready at once', async (mode) => {
  const stage = await setStage();
  const server = await serve({ ...configOf(stage, []), authentication: { mode } });
  expect(await readyOf(server)).toEqual(READY);
});

async function serveFolder(
  config: object,
): Promise<{ server: AgentServer; write: (config: object) => Promise<unknown> }> {
  const folder = folderOf(config);
  const server = await startAgentServer({ folder, port: 0, graceMs: 2_000, reloadIntervalMs: 0 });
  onTestFinished(() => server.close());
  return {
    server,
    write(next) {
      writeFileSync(join(folder, 'config.json'), JSON.stringify(next));
      return server.reload();
    },
  };
}

test('an agent that is ready stays so with a new issuer, whose keys it goes for in the background', async () => {
  const stage = await setStage();
  const config = { ...configOf(stage, []), authentication: { mode: 'anonymous' } };
  const { server, write } = await serveFolder(config);
  const next = await startLoopback(always({}, { status: 500 }));

  await write({ ...config, ...jwt({ issuer: 'https://idp.example.com', jwks_url: `${next.origin}/jwks` }) });

  await next.arrived(2);
  expect(await readyOf(server)).toEqual(READY);
});

test('an agent that is starting waits no more for an issuer that is taken out', async () => {
  const stage = await setStage();
  const gone = await startLoopback(always({}, { status: 500 }));
  const config = configOf(stage, []);
  const issuer = 'https://idp.example.com';
  const { server, write } = await serveFolder({
    ...config,
    ...jwt({ issuer, jwks_url: `${gone.origin}/jwks` }),
  });
  expect(await readyOf(server)).toEqual(waitingFor(issuer));

  await write(config);

  await expect.poll(() => readyOf(server)).toEqual(READY);
});

test('an agent that is closed breaks off what it waits for', async () => {
  const stage = await setStage();
  const silent = await startLoopback(never);
  const server = await serve({
    ...configOf(stage, []),
    ...jwt({ issuer: 'https://idp.example.com', jwks_url: `${silent.origin}/jwks` }),
  });
  await silent.arrived(1);
  const began = performance.now();

  await server.close();

  await silent.cutOff(1);
  // By itself the request is given up after five seconds.
  expect(performance.now() - began).toBeLessThan(3_000);
});

test('metadata and keys that are endless are given up', async () => {
  const stage = await setStage();
  const huge = await startLoopback((_request, response) =>
    json(response, { keys: [], pad: 'x'.repeat(300_000) }),
  );
  const warnings: string[] = [];
  await serve(
    {
      ...configOf(stage, []),
      ...jwt({ issuer: 'https://idp.example.com', jwks_url: `${huge.origin}/jwks` }),
    },
    { onWarning: (text) => warnings.push(text) },
  );

  await expect.poll(() => warnings.join()).toContain('more than 262144 bytes');
});

/** Keys that cannot be had until it is said. */
function lateKeys(issuer: string): IssuerKeys & { tries: number; arrive(): void } {
  let there = false;
  const keys = {
    ...{ issuer, tries: 0 },
    getKey: () => Promise.reject(new Error('not there')),
    isReady: () => there,
    async prepare() {
      keys.tries += 1;
      if (!there) throw new Error('not there');
    },
    close() {},
    arrive() {
      there = true;
    },
  };
  return keys;
}

test('it is tried again ever more seldom, told once, until keys are there', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const told: string[] = [];
  const readiness = createReadiness((issuer) => told.push(issuer));
  const [a, b] = [lateKeys('a'), lateKeys('b')];
  readiness.prepare([a, b]);

  await vi.advanceTimersByTimeAsync(0);
  expect(a.tries).toBe(1);
  await vi.advanceTimersByTimeAsync(250 + 500 + 1_000);
  expect(a.tries).toBe(4);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(a.tries).toBeLessThan(12);
  a.arrive();
  expect(readiness.waitingFor()).toEqual(['keys of b']);
  await vi.advanceTimersByTimeAsync(15_000);
  const { tries } = a;
  await vi.advanceTimersByTimeAsync(60_000);
  expect([a.tries, told]).toEqual([tries, ['a', 'b']]);

  readiness.prepare([a]);
  expect(readiness.waitingFor()).toEqual([]);
  const late = b.tries;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(b.tries).toBe(late);
});

test('nothing is tried any more after the end', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const readiness = createReadiness(() => {});
  const keys = lateKeys('a');
  readiness.prepare([keys]);
  readiness.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(keys.tries).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});
