// The limits of a session pool, which are those of every keeper of sessions; and what is particular to its clients.
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Broker, Delegation } from '../../src/index.ts';
import { defineMcpServer, type McpServer } from '../../src/mcp/server.ts';
import { createSessionPool, type SessionPool, type SessionPoolOptions } from '../../src/mcp/session-pool.ts';
import { startPlainBroker } from '../support/broker.ts';
import { subjectJwt } from '../support/sts.ts';
import { type StrictServer, startStrictServer } from './strict-server.ts';
import { createGate, failure } from './support.ts';

afterEach(() => {
  vi.useRealTimers();
});

interface Scene {
  readonly broker: Broker;
  readonly server: StrictServer;
  readonly mcp: McpServer;
  readonly pool: SessionPool;
  readonly alice: Delegation;
  readonly bob: Delegation;
}

async function scene(options: Partial<SessionPoolOptions> = {}): Promise<Scene> {
  const { broker } = await startPlainBroker();
  const server = await startStrictServer();
  const pool = createSessionPool({ broker, ...options });
  onTestFinished(() => pool.close());
  const mcp = defineMcpServer({ url: server.url, target: 'calendar' });
  const [alice, bob] = ['alice', 'bob'].map((sub) => broker.begin({ subjectToken: subjectJwt(sub) }));
  return { broker, server, mcp, pool, alice: alice as Delegation, bob: bob as Delegation };
}

const call = ({ pool, mcp }: Scene, who: Delegation, signal?: AbortSignal): Promise<unknown> =>
  pool.call(mcp, who, (client) => client.callTool({ name: 'whoami', arguments: {} }), { signal });

test('a call that finds no room waits until there is some', async () => {
  const at = await scene({ maxSessions: 1 });
  const gate = createGate();
  at.server.answer = async ({ method, sub }) => {
    if (method === 'tools/call' && sub === 'alice') await gate.wait();
    return false;
  };
  const hers = call(at, at.alice);
  await gate.reached(1);
  const his = call(at, at.bob);
  gate.open();
  await Promise.all([hers, his]);
  expect(at.server.executed).toEqual(['whoami alice', 'whoami bob']);
  expect(at.pool.size).toBe(1);
});

test('a session that is too old is replaced at its next use', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const at = await scene({ maxSessionMs: 60_000 });
  await call(at, at.alice);
  vi.setSystemTime(Date.now() + 59_999);
  await call(at, at.alice);
  vi.setSystemTime(Date.now() + 1);
  await call(at, at.alice);
  await at.pool.settled();
  expect(at.server.log('initialize', 'DELETE')).toEqual([
    'initialize alice 200',
    ...['DELETE alice 200', 'initialize alice 200'].toSorted(),
  ]);
});

test('a server that is started anew while a session is opened is no reason to fail', async () => {
  const at = await scene();
  at.server.refuse('notifications/initialized', 404);
  await call(at, at.alice);
  expect(at.server.executed).toEqual(['whoami alice']);
});

test('a session that is half open when its run ends is ended at the server', async () => {
  const at = await scene();
  at.server.answer = ({ method }) => method === 'notifications/initialized';
  const asked = call(at, at.alice).catch((error: unknown) => error);
  await at.server.arrived('notifications/initialized');
  at.broker.end(at.alice);
  expect(await asked).toBeInstanceOf(Error);
  await at.pool.settled();
  expect(at.server.log('DELETE')).toEqual(['DELETE alice 200']);
  expect([at.server.sessions.size, at.pool.size]).toEqual([0, 0]);
});

test('an opening that does not come to an end is given up after 30 seconds', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const at = await scene();
  at.server.answer = ({ method }) => method === 'initialize';
  const asked = failure(call(at, at.alice));
  await at.server.arrived('initialize');
  vi.advanceTimersByTime(30_000);
  expect(await asked).toMatchObject({ code: 'server_unreachable', failure: 'unavailable' });
  at.server.answer = undefined;
  await call(at, at.alice);
  expect(at.pool.size).toBe(1);
});

describe('an answer whose stream the server has closed', () => {
  test('is resumed by the client under the user’s token', async () => {
    const at = await scene();
    at.server.answer = ({ method, id, headers, sub }, response) => {
      if (method === 'tools/call') {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end(`retry: 1\nid: event-${id}\ndata: \n\n`);
        return true;
      }
      const last = headers['last-event-id'];
      if (method !== 'GET' || typeof last !== 'string') return false;
      const message = {
        jsonrpc: '2.0',
        id: Number(last.slice(6)),
        result: { content: [{ type: 'text', text: sub }] },
      };
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`id: 2\ndata: ${JSON.stringify(message)}\n\n`);
      return true;
    };
    expect(await call(at, at.alice)).toMatchObject({ content: [{ text: 'alice' }] });
    expect(at.server.log('GET')).toEqual(['GET alice 200']);
    expect(at.server.violations).toEqual([]);
  });
});

test.each(['idleMs', 'maxSessionMs', 'maxSessions', 'maxWaitMs'])(
  '"%s" that is no such number is a mistake',
  async (name) => {
    const { broker } = await startPlainBroker();
    for (const value of [-1, Number.NaN, '5', null]) {
      expect(() => createSessionPool({ broker, [name]: value as number })).toThrow(TypeError);
    }
    if (name !== 'maxWaitMs') expect(() => createSessionPool({ broker, [name]: 0 })).toThrow(TypeError);
  },
);
