import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { boundedResponse, MAX_ANSWER_BYTES } from '../../src/agent/bounded-response.ts';
import { readEvents, type StreamEvent } from '../../src/agent/event-stream.ts';
import { createHeaderFetch } from '../../src/agent/header-fetch.ts';
import { thrownBy } from '../support/failure.ts';
import { startLoopback } from '../support/loopback.ts';
import { type RawAnswer, type RawMcp, startRawMcp } from '../support/raw-mcp.ts';
import { configOf, type Stage, send, serve, setStage } from './support.ts';

const MIB = 1_048_576;
const EVENTS = { 'content-type': 'text/event-stream' };

const config = (stage: Stage, { url }: RawMcp, { params, ...own }: { params?: object } & object): object => ({
  ...configOf(stage, []),
  model: {
    ...{ type: 'scripted', model: 'script' },
    turns: [{ calls: [{ name: 't', args: {} }] }, { text: 'All done.' }],
  },
  http_tools: [{ name: 'raw', params: { url, ...params }, ...own }],
});

/** Writes for ever, as long as somebody reads. */
function flood(response: ServerResponse): void {
  const piece = 'a'.repeat(MIB);
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
  };
  response.on('drain', more);
  more();
}

/** By name, how a server answers a call, and how the call then fails. */
const FLOODS: readonly [string, RawAnswer, string][] = [
  [
    'an endless answer',
    (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      flood(response);
    },
    `raw answered with more than ${MAX_ANSWER_BYTES} bytes`,
  ],
  [
    'an endless event',
    (response) => {
      response.writeHead(200, EVENTS).write('data: {"text":"');
      flood(response);
    },
    `raw sent an event with more than ${MAX_ANSWER_BYTES} bytes`,
  ],
];
const TARGETS: readonly [string, object][] = [
  ['on behalf of a user', { sts_audience: 'calendar' }],
  ['without a token', {}],
];

test.each(
  TARGETS.flatMap(([who, own]) => FLOODS.map(([what, answer, why]) => ({ who, own, what, answer, why }))),
)('$what to a call $who ends the call, and is read no further', async ({ own, answer, why }) => {
  const stage = await setStage();
  let closed = (): void => {};
  const cut = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const server = await startRawMcp({
    answers: {
      'tools/call': (response, ...rest) => {
        response.on('close', closed);
        answer(response, ...rest);
      },
    },
  });
  const agent = await serve(config(stage, server, own));

  const { text } = await send(agent, await stage.token('alice'));

  expect(text).toContain(why);
  expect(text).toContain('All done.');
  await cut;
});

test.each(TARGETS)('an event stream that is silent for too long ends the call: %s', async (_who, own) => {
  const stage = await setStage();
  const server = await startRawMcp({
    answers: { 'tools/call': (response) => response.writeHead(200, EVENTS).write(': begun\n\n') },
  });
  const agent = await serve(config(stage, server, { ...own, params: { sse_read_timeout: 0.05 } }));

  const { text } = await send(agent, await stage.token('alice'));

  expect(text).toContain('raw was silent for 50 ms');
});

test('an event stream as a whole may be larger than an answer', async () => {
  const event = `data: ${'a'.repeat(MIB)}\r\n\r\n`;
  const server = await startLoopback((_request, response) => {
    response.writeHead(200, EVENTS);
    for (let i = 0; i < 20; i++) response.write(event);
    response.end();
  });
  const fetch = createHeaderFetch({ params: { url: server.origin } }, {}, 'http_tools[0].params');

  const { byteLength } = await (await fetch(server.origin, {})).arrayBuffer();

  expect(byteLength).toBe(20 * event.length);
});

test('what is no answer to a request breaks off, and an answer of the largest size is whole', async () => {
  const bodies = [MAX_ANSWER_BYTES, MAX_ANSWER_BYTES + 1].map((size) => new Uint8Array(size));
  const bounded = bodies.map((body) =>
    boundedResponse(new Response(body), { server: 'raw', requestId: () => undefined }),
  );

  expect((await bounded[0]?.arrayBuffer())?.byteLength).toBe(MAX_ANSWER_BYTES);
  expect(await thrownBy(bounded[1]?.arrayBuffer() as Promise<unknown>)).toMatchObject({
    code: 'server_failed',
    message: `raw answered with more than ${MAX_ANSWER_BYTES} bytes`,
  });
});

test.each([
  ['an answer', {}, `answered with more than ${MAX_ANSWER_BYTES} bytes`],
  ['an event stream', EVENTS, 'was silent for 10 ms'],
])('%s beyond its bounds is cut off where it comes from', async (_what, headers, why) => {
  let cancelled: unknown;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(MAX_ANSWER_BYTES)),
    pull: (controller) => (why.startsWith('answered') ? controller.enqueue(new Uint8Array(1)) : undefined),
    cancel: (reason) => {
      cancelled = reason;
    },
  });
  const bounds = { server: 'raw', silenceMs: 10, requestId: () => undefined };

  const error = await thrownBy(boundedResponse(new Response(body, { headers }), bounds).arrayBuffer());

  expect(error).toMatchObject({ code: 'server_failed', message: expect.stringContaining(why) });
  expect(cancelled).toBe(error);
});

test.each([
  ['at the server', undefined, 1],
  ['and is not where the config says so', false, 0],
])('a session that is over is ended %s', async (_how, terminate, deleted) => {
  for (const [, own] of TARGETS) {
    const stage = await setStage();
    const server = await startRawMcp();
    const params = { terminate_on_close: terminate };
    const agent = await serve(config(stage, server, { ...own, params }));

    await send(agent, await stage.token('alice'));
    await agent.close();
    if (deleted > 0) await server.arrived('DELETE', server.of('initialize').length);

    expect(server.sessions.size).toBe(deleted > 0 ? 0 : server.of('initialize').length);
    expect(server.of('DELETE').length > 0).toBe(deleted > 0);
  }
});

test('events are read however their lines end and wherever they are cut', async () => {
  const text =
    ': note\r\n\r\nevent: endpoint\r\ndata: /a?b\n\ndata: one\rdata:two\r\rid: 1\n\ndata: \u{1f600}\n\ndata: cut';
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size <= bytes.length; size++) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.slice(i * size, (i + 1) * size),
    );
    const found: StreamEvent[] = [];
    for await (const event of readEvents(ReadableStream.from(pieces) as ReadableStream<Uint8Array>))
      found.push(event);
    expect(found).toEqual([
      { event: 'endpoint', data: '/a?b' },
      { event: 'message', data: 'one\ntwo' },
      { event: 'message', data: '\u{1f600}' },
    ]);
  }
});
