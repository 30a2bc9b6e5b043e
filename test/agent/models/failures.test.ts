import { expect, test } from 'vitest';
import { createModel } from '../../../src/agent/models.ts';
import type { ModelSettings } from '../../../src/config/model.ts';
import { expectNoLeak } from '../../support/leaks.ts';
import { always, type Handler, json, type Loopback, never, startLoopback } from '../../support/loopback.ts';
import { ask, chunks, completion, KEY, request, sse } from './wire.ts';

const HEADER = 'another-obviously-fake-secret-987';

const settingsOf = ({ origin }: Loopback, more: Partial<ModelSettings> = {}): ModelSettings => ({
  ...{ type: 'openai', model: 'm', api_key: KEY, base_url: `${origin}/v1`, headers: { 'x-secret': HEADER } },
  ...more,
});

/** Answers one request after the other. */
const inTurn = (...handlers: readonly Handler[]): Handler => {
  let asked = 0;
  return (request, response) => {
    handlers[Math.min(asked, handlers.length - 1)]?.(request, response);
    asked += 1;
  };
};

const failing = (status: number, message: string, headers: Record<string, string> = {}): Handler =>
  always({ error: { message, type: 'error', code: null, param: null } }, { status, headers });

test.each([false, true])(
  'a server that is busy is asked again, when it says (stream: %s)',
  async (stream) => {
    const server = await startLoopback(
      inTurn(
        failing(429, 'slow down', { 'retry-after': '0' }),
        failing(503, 'overloaded'),
        (_request, response) => (stream ? sse(response, chunks('Yes.')) : json(response, completion('Yes.'))),
      ),
    );

    const answers = await ask(settingsOf(server), { stream });

    expect(answers.at(-1)?.content?.parts).toEqual([{ text: 'Yes.' }]);
    expect(server.received).toHaveLength(3);
  },
);

test.each<[string, Handler, string, string, number]>([
  ['a key that is refused', failing(401, `no such key: ${KEY}`), 'HTTP_401', 'refused the key (HTTP 401)', 1],
  [
    'a request that is wrong',
    failing(400, `too long, with ${KEY} and ${HEADER}`),
    'HTTP_400',
    'answered HTTP 400: too long, with [redacted] and [redacted]',
    1,
  ],
  ['a server that stays busy', failing(500, 'oh no'), 'HTTP_500', 'answered HTTP 500: oh no', 3],
  [
    'a server that asks for more patience than there is',
    failing(429, 'tomorrow', { 'retry-after': '86400' }),
    'HTTP_429',
    'tomorrow',
    1,
  ],
  [
    'a redirect, which would take the key elsewhere',
    always({}, { status: 307, headers: { location: 'http://127.0.0.1:1/' } }),
    'HTTP_307',
    'answered HTTP 307',
    1,
  ],
  [
    'a server that hangs up',
    (_request, response) => response.destroy(),
    'server_unreachable',
    'could not be reached (',
    3,
  ],
])(
  '%s is an error without secrets',
  async (_what, handler, code, message, requests) => {
    const server = await startLoopback(handler);

    for (const stream of [false, true]) {
      const answers = await ask(settingsOf(server), { stream });
      expect(answers).toEqual([{ errorCode: code, errorMessage: expect.stringContaining(message) }]);
      expectNoLeak(answers, [KEY, HEADER]);
    }
    expect(server.received).toHaveLength(requests * 2);
  },
  20_000,
);

test('what is no answer is an error without secrets', async () => {
  const server = await startLoopback(always({ error: KEY }));

  const answers = [...(await ask(settingsOf(server))), ...(await ask(settingsOf(server), { stream: true }))];

  expect(answers.map(({ errorCode }) => errorCode)).toEqual(['MODEL_ERROR', 'INCOMPLETE']);
  expectNoLeak(answers, [KEY, HEADER]);
});

test('an answer that breaks off is an error, and nothing of it is acted on', async () => {
  const call = { id: 'call_a', name: 'mail', args: '{}' };
  const hangingUp: Handler = (_request, response) => {
    sse(response, chunks('One two ', [call], null), false);
    // After what was written has gone.
    response.write('', () => response.destroy());
  };
  const ending: Handler = (_request, response) => sse(response, chunks('One two ', [call], null));
  const stopping: Handler = (_request, response) =>
    sse(response, [...chunks('One two ', [call], null), { error: { message: `broken ${KEY}` } }]);
  const codes: unknown[] = [];
  for (const handler of [hangingUp, ending, stopping]) {
    const server = await startLoopback(handler);
    const answers = await ask(settingsOf(server), { stream: true });
    expect(answers.filter(({ partial }) => partial).length).toBe(answers.length - 1);
    expectNoLeak(answers, [KEY]);
    codes.push(answers.at(-1)?.errorCode);
  }

  expect(codes).toEqual(['UNAVAILABLE', 'INCOMPLETE', 'MODEL_ERROR']);
});

test.each([false, true])('a run that is stopped ends the request (stream: %s)', async (stream) => {
  const server = await startLoopback((_request, response) => {
    if (stream) sse(response, chunks('One two ', [], null), false);
  });
  const stop = new AbortController();
  const asked = ask(settingsOf(server), { stream, signal: stop.signal });
  await server.arrived(1);

  stop.abort();

  const answers = await asked;
  expect(answers.every(({ partial, errorCode }) => partial && errorCode === undefined)).toBe(true);
  await server.cutOff(1);
  expect(server.received).toHaveLength(1);
});

test('a run that is stopped waits for no further try', async () => {
  const server = await startLoopback(failing(503, 'later', { 'retry-after': '20' }));
  const stop = new AbortController();
  const asked = ask(settingsOf(server), { signal: stop.signal });
  await server.arrived(1);

  stop.abort();

  expect(await asked).toEqual([]);
  expect(server.received).toHaveLength(1);
});

test('whoever leaves in the middle of an answer ends the request', async () => {
  const server = await startLoopback((_request, response) =>
    sse(response, chunks('One two ', [], null), false),
  );
  const model = await createModel(settingsOf(server), {});

  for await (const _ of model.generateContentAsync(request(), true)) break;

  await server.cutOff(1);
});

test('a stream that begins with an error is ended, also where the server leaves it open', async () => {
  const error = { type: 'error', error: { type: 'overloaded_error', message: `busy with ${KEY}` } };
  const server = await startLoopback((_request, response) => sse(response, [error, error], false));

  const answers = await ask(settingsOf(server, { type: 'anthropic' }), { stream: true });

  expect(answers).toEqual([
    { errorCode: 'HTTP_529', errorMessage: expect.stringContaining('busy with [redacted]') },
  ]);
  await server.cutOff(1);
});

test('an answer that takes too long is an error', async () => {
  const server = await startLoopback(never);

  const answers = await ask(settingsOf(server, { timeout: 1 }));

  expect(answers).toEqual([
    { errorCode: 'TIMEOUT', errorMessage: expect.stringContaining('did not answer within 1 s') },
  ]);
  await server.cutOff(1);
});

test('a key that cannot be read is an error of the run, and nothing is sent', async () => {
  const server = await startLoopback(never);

  const answers = await ask(settingsOf(server, { api_key: 'file:/no/such/key' }));

  expect(answers).toEqual([
    { errorCode: 'client_auth_unavailable', errorMessage: expect.stringContaining('model.api_key') },
  ]);
  expect(server.received).toEqual([]);
});

test.each<[string, ModelSettings, string]>([
  [
    'no key',
    { type: 'openai', model: 'm' },
    'model.api_key: is missing: give it here, or in the variable OPENAI_API_KEY',
  ],
  ['no key of Anthropic', { type: 'anthropic', model: 'm' }, 'ANTHROPIC_API_KEY'],
  [
    'a variable that is not set',
    { type: 'openai', model: 'm', api_key: `\${NONE}` },
    'model.api_key: the environment has no variable NONE',
  ],
  ['no endpoint', { type: 'azure_openai', model: 'm', api_key: KEY }, 'AZURE_OPENAI_ENDPOINT'],
  ['no region', { type: 'bedrock', model: 'm', api_key: KEY }, 'model.location: is missing'],
  [
    'no key of AWS',
    { type: 'bedrock', model: 'm', location: 'r' },
    'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  ],
  [
    'what is no URL',
    { type: 'openai', model: 'm', base_url: 'ftp://a' },
    'model.base_url: must be an http or https URL',
  ],
  [
    'a URL with a key',
    { type: 'openai', model: 'm', base_url: `https://a:${KEY}@b` },
    'model.base_url: must be',
  ],
])('%s is told at start', async (_what, settings, message) => {
  const error = await createModel(settings, {}).catch((thrown: unknown) => thrown);

  expect(error).toBeInstanceOf(TypeError);
  expect(String(error)).toContain(message);
  expectNoLeak(error, [KEY]);
});
