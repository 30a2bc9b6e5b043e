// A server, or a proxy before it, that repeats the request with its token in whatever it answers.
import { Buffer } from 'node:buffer';
import type { ServerResponse } from 'node:http';
import type { Client } from '@modelcontextprotocol/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isOnbehalfError } from '../../src/index.ts';
import { defineMcpServer } from '../../src/mcp/server.ts';
import { createSessionPool } from '../../src/mcp/session-pool.ts';
import { createToolCatalogue, type ListOptions } from '../../src/mcp/tool-catalogue.ts';
import { startPlainBroker } from '../support/broker.ts';
import { thrownBy } from '../support/failure.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { type RawAnswer, type RawMcp, startRawMcp } from '../support/raw-mcp.ts';
import { subjectJwt } from '../support/sts.ts';

const AGENT_TOKEN = 'agent-token-for-tests-only';
const bearer = (authorization: string | undefined): string => (authorization ?? '').replace('Bearer ', '');

/** Answers with a status, and the token in the body, the status line, and the header fields. */
const echo =
  (status: number): RawAnswer =>
  (response, _id, { authorization = '' }) => {
    response.statusMessage = `no ${authorization}`;
    response.setHeader('www-authenticate', `Bearer error_description="${bearer(authorization)}"`);
    response.writeHead(status, { 'content-type': 'text/plain' }).end(`bad request: ${authorization}`);
  };

const ok = (response: ServerResponse, type: string, body: string): void =>
  void response.writeHead(200, { 'content-type': type }).end(body);

/** Answers with a message that is made of what was sent. */
const message =
  (member: (authorization: string) => object): RawAnswer =>
  (response, id, { authorization = '' }) =>
    ok(response, 'application/json', JSON.stringify({ jsonrpc: '2.0', id, ...member(authorization) }));

const noAnswers: readonly (readonly [string, RawAnswer])[] = [
  ['a content type made of it', (response, _id, { authorization }) => ok(response, `${authorization}`, 'x')],
  [
    'a body that is no JSON',
    (response, _id, { authorization }) => ok(response, 'application/json', `${bearer(authorization)}`),
  ],
  ['a message that is none', message((authorization) => ({ [authorization]: authorization, result: 1 }))],
  [
    'bytes that are no HTTP',
    (response, _id, { authorization }) => void response.socket?.end(`${authorization}\r\n\r\n`),
  ],
];

async function stage(answers: Record<string, RawAnswer>) {
  const { broker } = await startPlainBroker();
  const raw = await startRawMcp({ answers });
  const pool = createSessionPool({ broker });
  const catalogue = createToolCatalogue({ pool });
  onTestFinished(() => void Promise.all([catalogue.close(), pool.close()]));
  const server = defineMcpServer({ url: raw.url, target: 'calendar' });
  const delegation = broker.begin({ subjectToken: subjectJwt('alice') });
  return {
    raw,
    call: <T>(use: (client: Client) => Promise<T>) => pool.call(server, delegation, use),
    tool: () => pool.call(server, delegation, (client) => client.callTool({ name: 't' })),
    list: (options: ListOptions) => catalogue.list(server, { delegation, ...options }),
  };
}

/** The tokens that a server was sent. */
function tokens(raw: RawMcp): string[] {
  const sent = raw.requests.map(({ authorization }) => bearer(authorization)).filter((one) => one !== '');
  expect(sent.length).toBeGreaterThan(0);
  return [...new Set(sent)].flatMap((one) => [one, one.slice(0, 24)]);
}

describe.each([400, 401, 403, 404, 429, 500, 503])(
  'an answer with status %i that repeats the token',
  (status) => {
    test.each(['initialize', 'notifications/initialized', 'tools/call'])(
      'to %s leaves the pool without it',
      async (method) => {
        const at = await stage({ [method]: echo(status) });
        const error = await thrownBy(at.tool());
        expect(error).toMatchObject({
          name: 'OnbehalfError',
          status,
          code: expect.stringMatching(/^server_/),
        });
        expectNoLeak(error, tokens(at.raw));
      },
    );

    test.each(['initialize', 'tools/list'])('to %s leaves the catalogue without it', async (method) => {
      const at = await stage({ [method]: echo(status) });
      for (const options of [
        { discovery: 'delegated' },
        { discovery: 'agent', agentCredential: () => AGENT_TOKEN },
        { discovery: 'auto', agentCredential: () => AGENT_TOKEN },
      ] as const) {
        const error = await thrownBy(at.list(options));
        expect(error).toMatchObject({
          name: 'OnbehalfError',
          status,
          code: expect.stringMatching(/^server_/),
        });
        expectNoLeak(error, tokens(at.raw));
      }
    });

    test('is not shown to the caller’s own code either, which may log what it catches', async () => {
      const at = await stage({ 'tools/call': echo(status) });
      const caught: unknown[] = [];
      await at.call(async (client) => {
        client.onerror = (error) => void caught.push(error);
        await client.callTool({ name: 't' }).catch((error: unknown) => caught.push(error));
      });
      expect(caught.length).toBeGreaterThan(1);
      for (const error of caught) expectNoLeak(error, tokens(at.raw));
    });
  },
);

describe.each(noAnswers)('%s', (_what, answer) => {
  test.each(['initialize', 'tools/call'])(
    'in place of an answer to %s leaves the pool as an error without it',
    async (method) => {
      const at = await stage({ [method]: answer });
      const error = await thrownBy(at.tool());
      expect(isOnbehalfError(error)).toBe(true);
      expectNoLeak(error, tokens(at.raw));
    },
  );
});

describe('an answer of the protocol that repeats the token', () => {
  const data = (authorization: string): object => ({
    deep: [[{ [`a ${bearer(authorization)}`]: authorization, count: 1, none: null }], 'kept'],
  });

  test('as an error comes out without it, and else as it is', async () => {
    const failing = message((authorization) => ({
      error: { code: -32_000, message: `no: ${authorization}!`, data: data(authorization) },
    }));
    const at = await stage({ 'tools/call': failing });
    const error = await thrownBy(at.tool());
    expect(error).toMatchObject({
      code: -32_000,
      message: expect.stringContaining('no: Bearer [redacted]!'),
      data: { deep: [[{ 'a [redacted]': 'Bearer [redacted]', count: 1, none: null }], 'kept'] },
    });
    expectNoLeak(error, tokens(at.raw));
  });

  test.each(['application/json', 'text/event-stream'])(
    'as the result of a tool, %s, comes out without it',
    async (type) => {
      const at = await stage({
        'tools/call': (response, id, { authorization }) => {
          const content = [
            { type: 'text', text: `you sent ${authorization}, twice ${bearer(authorization)}` },
          ];
          const text = JSON.stringify({ jsonrpc: '2.0', id, result: { content } });
          ok(response, type, type === 'application/json' ? text : `event: message\ndata: ${text}\n\n`);
        },
      });
      expect(await at.tool()).toMatchObject({
        content: [{ type: 'text', text: 'you sent Bearer [redacted], twice [redacted]' }],
      });
    },
  );

  test('as a list of tools comes out without it, the agent’s own token too', async () => {
    const at = await stage({
      'tools/list': message((authorization) => ({
        result: { tools: [{ name: 't', description: authorization, inputSchema: { type: 'object' } }] },
      })),
    });
    for (const options of [
      { discovery: 'delegated' },
      { discovery: 'agent', agentCredential: () => AGENT_TOKEN },
    ] as const) {
      expect(await at.list(options)).toMatchObject([{ name: 't', description: 'Bearer [redacted]' }]);
    }
  });

  test('which was refused and replaced during the call comes out without it', async () => {
    const seen: string[] = [];
    const at = await stage({
      'tools/call': (response, id, request) => {
        seen.push(bearer(request.authorization));
        if (seen.length === 1) return echo(401)(response, id, request);
        message(() => ({ result: { content: [{ type: 'text', text: seen.join(' ') }] } }))(
          response,
          id,
          request,
        );
      },
    });
    expect(await at.tool()).toMatchObject({ content: [{ text: '[redacted] [redacted]' }] });
    expect(new Set(seen).size).toBe(2);
  });

  test('that says nothing of it is handed on unchanged', async () => {
    const result = {
      content: [{ type: 'text', text: 'plain' }],
      structuredContent: { a: [1, null, 'b'] },
      _meta: {},
    };
    const at = await stage({ 'tools/call': message(() => ({ result })) });
    expect(await at.tool()).toMatchObject(result);
  });

  test('and is nested deeper than a stack is', async () => {
    const depth = 50_000;
    const text = `{"content":[],"structuredContent":{"a":${'['.repeat(depth)}"TOKEN"${']'.repeat(depth)}}}`;
    const at = await stage({
      'tools/call': (response, id, { authorization }) =>
        ok(
          response,
          'application/json',
          `{"jsonrpc":"2.0","id":${id},"result":${text.replace('TOKEN', `${authorization}`)}}`,
        ),
    });
    const outcome: unknown = await at.tool().catch((error: unknown) => error);
    let value = (outcome as { structuredContent?: { a?: unknown } }).structuredContent?.a;
    while (Array.isArray(value)) value = value[0];
    expect(String(value)).not.toContain(Buffer.from(tokens(at.raw)[0] ?? '').toString());
  });
});

test.each([
  ['pool', 'tools/call', { content: 'none' }],
  ['catalogue', 'tools/list', { tools: 'none' }],
] as const)(
  'a result that is not of its form leaves the %s as an error of this package',
  async (by, method, bad) => {
    const at = await stage({ [method]: message(() => ({ result: bad })) });
    const anonymous = { discovery: 'anonymous', delegation: undefined } as const;
    const error = await thrownBy(by === 'pool' ? at.tool() : at.list(anonymous));
    expect(error).toMatchObject({ name: 'OnbehalfError', code: 'server_failed', retryable: false });
  },
);

test('what the caller’s own code throws comes out as it is', async () => {
  const at = await stage({});
  const own = new Error('of the caller');
  expect(await thrownBy(at.call(() => Promise.reject(own)))).toBe(own);
});

test('an abort during a call comes out as its reason', async () => {
  const { broker } = await startPlainBroker();
  const raw = await startRawMcp({ answers: { 'tools/call': () => {} } });
  const pool = createSessionPool({ broker });
  onTestFinished(() => pool.close());
  const server = defineMcpServer({ url: raw.url, target: 'calendar' });
  const abort = new AbortController();
  const { signal } = abort;
  const delegation = broker.begin({ subjectToken: subjectJwt('alice') });
  const call = thrownBy(
    pool.call(server, delegation, (client) => client.callTool({ name: 't' }, { signal }), { signal }),
  );
  await raw.arrived('tools/call');
  const reason = new Error('enough');
  abort.abort(reason);
  expect(await call).toBe(reason);
});
