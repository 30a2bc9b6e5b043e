import { expect, test } from 'vitest';
import { configOf, send, serve, setStage } from './support.ts';

const metricsAt = async (url: string | undefined): Promise<string> => (await fetch(`${url}/metrics`)).text();

test('what the agent does is counted, on a port of its own, and says nothing of users', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const server = await serve(configOf(stage, [calendar]), { adminPort: 0 });
  const alice = await stage.token('alice');
  await send(server, alice);
  await send(server, undefined);

  const text = await metricsAt(server.adminUrl);

  expect(text).toContain('onbehalf_agent_runs_total{state="completed"} 1\n');
  expect(text).toContain('onbehalf_agent_requests_total{status="200"} 1\n');
  expect(text).toContain('onbehalf_agent_requests_total{status="401"} 1\n');
  expect(text).toContain('onbehalf_agent_exchanges_total{outcome="issued"} 1\n');
  expect(text).toContain('onbehalf_agent_runs 0\n');
  expect(text).toContain('onbehalf_agent_contexts 1\n');
  expect(text).toContain('onbehalf_agent_tokens 0\n');
  expect(text).toContain('onbehalf_agent_ready 1\n');
  for (const secret of [...stage.tokens, 'alice']) expect(text).not.toContain(secret);
  expect((await fetch(`${server.url}/metrics`)).status).toBe(404);
  expect((await fetch(`${server.adminUrl}/`)).status).toBe(404);

  await server.close();
  await expect(metricsAt(server.adminUrl)).rejects.toThrow('fetch failed');
});

test('without a port for it there is none', async () => {
  const stage = await setStage();
  const server = await serve(configOf(stage, []));
  expect(server.adminUrl).toBeUndefined();
});

test('a port that is taken is told, and nothing is left open', async () => {
  const stage = await setStage();
  const { adminUrl } = await serve(configOf(stage, []), { adminPort: 0 });
  const adminPort = Number(new URL(adminUrl as string).port);
  await expect(serve(configOf(stage, []), { adminPort })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('whoever asks too often is told to wait, and nobody else is', async () => {
  const stage = await setStage();
  const server = await serve(configOf(stage, []), { maxRequestsPerMinute: 2 });
  const [alice, bob] = [await stage.token('alice'), await stage.token('bob')];
  expect([(await send(server, alice)).status, (await send(server, alice)).status]).toEqual([200, 200]);

  const third = await send(server, alice);

  expect(third.status).toBe(429);
  expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await send(server, bob)).status).toBe(200);
});
