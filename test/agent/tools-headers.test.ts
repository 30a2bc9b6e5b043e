import { request } from 'node:http';
import { InMemorySessionService } from '@google/adk';
import { decodeJwt } from 'jose';
import { expect, onTestFinished, test, vi } from 'vitest';
import { asRun, knownCaller } from '../../src/agent/caller.ts';
import { createHeaderFetch } from '../../src/agent/header-fetch.ts';
import { inboundHeadersOf } from '../../src/agent/inbound-headers.ts';
import type { AgentServer } from '../../src/agent/types.ts';
import { securityToken } from '../../src/core/token-types.ts';
import { fakeJwt } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { always, type Loopback, type Received, startLoopback } from '../support/loopback.ts';
import { startSseServer } from './sse-server.ts';
import { configOf, message, rpc, type Stage, send, serve, setStage } from './support.ts';

/** Passes requests on, and keeps them. */
function inFrontOf(url: string): Promise<Loopback> {
  return startLoopback(({ method, path, headers, body }, response) => {
    const inner = request(`${new URL(url).origin}${path}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    inner.end(body);
  });
}

const methodOf = ({ method, body }: Received): string =>
  method === 'POST' ? String(JSON.parse(body).method) : method;

const subjectOf = ({ headers }: Received): string | undefined =>
  headers.authorization === undefined ? undefined : decodeJwt(headers.authorization.slice(7)).sub;

/** An agent with a delegated server that gets `x-tenant`, and one without a target that does not. */
async function setServers(
  stage: Stage,
  own: object = {},
  fields: object = {},
): Promise<{ agent: AgentServer; calendar: Loopback; mail: Loopback }> {
  const servers = [await stage.mcp('calendar'), await stage.mcp('mail')] as const;
  const [calendar, mail] = [await inFrontOf(servers[0].url), await inFrontOf(servers[1].url)];
  const agent = await serve({
    ...configOf(stage, servers),
    http_tools: [
      {
        ...{ name: 'calendar', sts_audience: 'calendar', allowed_headers: ['X-Tenant', 'x-trace'] },
        params: {
          url: `${calendar.origin}/mcp`,
          headers: { 'X-TENANT': 'static', 'x-static': 'kept', ...fields },
        },
        ...own,
      },
      { name: 'mail', params: { url: `${mail.origin}/mcp` } },
    ],
  });
  return { agent, calendar, mail };
}

async function sendWith(agent: AgentServer, token: string, headers: Record<string, string>): Promise<string> {
  const response = await fetch(agent.url, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'message/send', params: message('Go.') }),
  });
  return response.text();
}

test('what may be handed on wins over static fields, and the token over all, each name once', async () => {
  const stage = await setStage();
  const { agent, calendar, mail } = await setServers(stage, {}, { Authorization: 'Bearer static' });
  const token = await stage.token('alice');

  await sendWith(agent, token, { 'X-tenant': 'planted', 'x-other': 'planted', cookie: 'planted' });

  const [call] = calendar.received.filter((each) => methodOf(each) === 'tools/call');
  expect(call?.headers).toMatchObject({ 'x-tenant': 'planted', 'x-static': 'kept' });
  expect(call?.headers['x-trace']).toBeUndefined();
  expect(call && subjectOf(call)).toBe('alice');
  expect(call?.headers.authorization).not.toBe(`Bearer ${token}`);
  const texts = [...calendar.received, ...mail.received].map(({ headers }) => JSON.stringify(headers));
  expect(mail.received.length).toBeGreaterThan(0);
  expect(texts.filter((text) => text.includes('planted') && !text.includes('"x-tenant":"planted"'))).toEqual(
    [],
  );
  expect(JSON.stringify(mail.received.map(({ headers }) => headers))).not.toContain('planted');
});

test('each call has the header fields of its own user, at the same time', async () => {
  const stage = await setStage();
  const { agent, calendar } = await setServers(stage);
  const runs = ['alice', 'bob', 'alice', 'bob', 'alice', 'bob'];

  await Promise.all(
    runs.map(async (sub, index) =>
      sendWith(agent, await stage.token(sub), { 'x-tenant': `${sub}-tenant`, 'x-trace': `${sub}-${index}` }),
    ),
  );

  const calls = calendar.received.filter((each) => methodOf(each) === 'tools/call');
  expect(calls).toHaveLength(runs.length);
  const traces = calls.map(({ headers }) => String(headers['x-trace']));
  expect(new Set(traces).size).toBe(runs.length);
  for (const call of calls) {
    expect(call.headers['x-tenant']).toBe(`${subjectOf(call)}-tenant`);
    expect(call.headers['x-trace']).toMatch(new RegExp(`^${subjectOf(call)}-`));
  }
});

test.each(['auto', 'agent'])('a listing for all users has nothing of one of them: %s', async (discovery) => {
  const stage = await setStage();
  const { agent, calendar } = await setServers(stage, { discovery });

  await sendWith(agent, await stage.token('alice'), { 'x-tenant': 'planted' });

  const listings = calendar.received.filter((each) => methodOf(each) === 'tools/list');
  expect(listings.map(({ headers }) => headers['x-tenant'])).toEqual(['static']);
  const others = calendar.received.filter((each) => subjectOf(each) !== 'alice');
  expect(new Set(others.map(({ headers }) => headers['x-tenant']))).toEqual(new Set(['static']));
  const own = calendar.received.filter((each) => subjectOf(each) === 'alice');
  expect(own.length).toBeGreaterThan(0);
  expect(new Set(own.map(({ headers }) => headers['x-tenant']))).toEqual(new Set(['planted']));
});

test('a server of the transport SSE gets them too', async () => {
  const stage = await setStage();
  const server = await startSseServer({ name: 'calendar', sts: stage.sts });
  const agent = await serve({
    ...configOf(stage, []),
    model: {
      ...{ type: 'scripted', model: 'script' },
      turns: [{ calls: [{ name: 'calendar_tool', args: {} }] }, { text: 'All done.' }],
    },
    sse_tools: [
      {
        name: 'calendar',
        params: { url: server.url },
        sts_audience: 'calendar',
        allowed_headers: ['x-tenant'],
      },
    ],
  });

  await sendWith(agent, await stage.token('alice'), { 'x-tenant': 'planted' });

  expect(server.of('tools/call').map(({ headers }) => headers['x-tenant'])).toEqual(['planted']);
});

test('what is handed on is in no answer, task, session, event or log', async () => {
  const kept: unknown[] = [];
  const append = vi.spyOn(InMemorySessionService.prototype, 'appendEvent');
  onTestFinished(() => append.mockRestore());
  const stage = await setStage();
  const { agent, calendar } = await setServers(stage);
  const token = await stage.token('alice');
  const planted = 'planted-and-searched-for';

  const text = await sendWith(agent, token, { 'x-tenant': planted });
  const { id } = JSON.parse(text).result;
  const task = await rpc(agent, token, 'tasks/get', { id });
  kept.push(text, task, stage.log, append.mock.calls);

  expect(calendar.received.filter(({ headers }) => headers['x-tenant'] === planted).length).toBeGreaterThan(
    0,
  );
  expect(append).toHaveBeenCalled();
  expect(task.body.result.id).toBe(id);
  expectNoLeak(kept, [planted]);
  const caller = knownCaller(
    { iss: 'i', sub: 's' },
    securityToken(fakeJwt()),
    new Map([['x-tenant', planted]]),
  );
  expectNoLeak(caller, [planted]);
  expect(Object.keys(caller)).toEqual(['isAuthenticated', 'userName']);
});

test('an anonymous caller has header fields of its own request, and the next one has not', async () => {
  const mail = await startLoopback(always({}));
  const agent = await serve({
    model: { type: 'scripted', model: 'script', turns: [{ text: 'Hello.' }] },
    http_tools: [{ name: 'mail', params: { url: `${mail.origin}/mcp` }, allowed_headers: ['x-tenant'] }],
    authentication: { mode: 'anonymous' },
  });

  await fetch(agent.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-tenant': 'planted' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'message/send', params: message('Go.') }),
  });
  const first = mail.received.length;
  await send(agent, undefined);

  expect(new Set(mail.received.slice(0, first).map(({ headers }) => headers['x-tenant']))).toEqual(
    new Set(['planted']),
  );
  expect(mail.received.length).toBeGreaterThan(first);
  expect(new Set(mail.received.slice(first).map(({ headers }) => headers['x-tenant']))).toEqual(
    new Set([undefined]),
  );
});

test('fields of the connection, of the message and of its sender are never taken up', () => {
  const headers = {
    ...{ authorization: 'a', cookie: 'a', host: 'a', connection: 'a', te: 'a', 'proxy-authorization': 'a' },
    ...{
      'content-length': '1',
      'content-type': 'a',
      'mcp-session-id': 'a',
      'transfer-encoding': 'a',
      'x-a': 'b',
    },
  };

  const taken = inboundHeadersOf({ headers } as unknown as Parameters<typeof inboundHeadersOf>[0]);

  expect([...taken]).toEqual([['x-a', 'b']]);
});

test('what the request itself has wins over what is handed on', async () => {
  const server = await startLoopback(always({}));
  const fetch = createHeaderFetch(
    { params: { url: server.origin }, allowed_headers: ['X-A', 'x-b'] },
    {},
    'http_tools[0].params',
  );
  const inbound = new Map(['x-a', 'x-b', 'x-c'].map((name) => [name, 'inbound']));
  const caller = knownCaller({ iss: 'i', sub: 's' }, securityToken(fakeJwt()), inbound);

  await asRun({ caller, contexts: [] }, () => fetch(server.origin, { headers: { 'X-b': 'own' } }));

  const { 'x-a': a, 'x-b': b, 'x-c': c } = server.received[0]?.headers ?? {};
  expect([a, b, c]).toEqual(['inbound', 'own', undefined]);
});
