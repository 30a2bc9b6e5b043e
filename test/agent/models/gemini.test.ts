import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Gemini } from '@google/adk';
import { expect, test } from 'vitest';
import { samplingOf } from '../../../src/agent/models/sampling.ts';
import { createModel } from '../../../src/agent/models.ts';
import type { ModelSettings } from '../../../src/config/model.ts';
import { createAuthority, startTlsLoopback } from '../../support/certificates.ts';
import { expectNoLeak } from '../../support/leaks.ts';
import { always, type Handler, type Loopback, never, startLoopback } from '../../support/loopback.ts';
import { folderOf } from '../support.ts';
import { ask, KEY, request, sse } from './wire.ts';

const said = (text: string, more: object = {}): object => ({
  candidates: [{ content: { role: 'model', parts: [{ text }] }, ...more }],
});
const YES = said('Yes.', { finishReason: 'STOP' });

const settingsOf = (
  { origin }: Pick<Loopback, 'origin'>,
  more: Partial<ModelSettings> = {},
): ModelSettings => ({
  ...{ type: 'gemini', model: 'gemini-x', api_key: KEY, base_url: `${origin}/behind/` },
  ...more,
});

test("it is ADK's own, asked at base_url with the key, the header fields and how to sample", async () => {
  const server = await startLoopback(always(YES));
  const settings = settingsOf(server, {
    ...{ headers: { 'x-team': `\${TEAM}` }, temperature: 0.5, max_tokens: 9, top_p: 0.7, top_k: 4, seed: 3 },
    ...{ frequency_penalty: 0.1, presence_penalty: 0.2 },
  });
  const config = samplingOf(settings);

  const answers = await ask(settings, {
    environment: { TEAM: 'blue' },
    request: request('Hello.', { config }),
  });

  expect(answers).toMatchObject([{ content: { parts: [{ text: 'Yes.' }] } }]);
  const { path, headers, body } = server.received[0] as Loopback['received'][number];
  expect(path).toBe('/behind/v1beta/models/gemini-x:generateContent');
  expect(headers).toMatchObject({ 'x-goog-api-key': KEY, 'x-team': 'blue' });
  expect(JSON.parse(body).generationConfig).toEqual({
    ...{ temperature: 0.5, maxOutputTokens: 9, topP: 0.7, topK: 4, seed: 3 },
    ...{ frequencyPenalty: 0.1, presencePenalty: 0.2 },
  });
  expect(await createModel(settings, { TEAM: 'blue' })).toBeInstanceOf(Gemini);
});

test('it streams', async () => {
  const server = await startLoopback((_request, response) => sse(response, [said('Yes, '), said('really.')]));

  const answers = await ask(settingsOf(server), { stream: true });

  expect(server.received[0]?.path).toContain(':streamGenerateContent');
  expect(answers.filter(({ partial }) => partial).map(({ content }) => content?.parts?.[0]?.text)).toEqual([
    ...['Yes, ', 'really.'],
  ]);
});

test('a key from a file is read for each request', async () => {
  const server = await startLoopback(always(YES));
  const file = join(folderOf({}), 'key');
  const model = await createModel(settingsOf(server, { api_key: `file:${file}` }), {});
  const answered = async (): Promise<unknown> => {
    for await (const { content, errorCode } of model.generateContentAsync(request()))
      return errorCode ?? content;
    return undefined;
  };

  expect(await answered()).toBe('client_auth_unavailable');
  for (const key of ['fake-key-one', 'fake-key-two']) {
    writeFileSync(file, key);
    expect(await answered()).toMatchObject({ role: 'model' });
  }
  expect(server.received.map(({ headers }) => headers['x-goog-api-key'])).toEqual([
    ...['fake-key-one', 'fake-key-two'],
  ]);
});

const failing = (status: number, message: string, headers: Record<string, string> = {}): Handler =>
  always({ error: { code: status, message, status: 'FAILED' } }, { status, headers });

test.each<[string, Handler, string, string, number]>([
  ['a key that is refused', failing(403, `no such key: ${KEY}`), 'HTTP_403', 'refused the key (HTTP 403)', 1],
  [
    'a wrong request',
    failing(400, `too long, with ${KEY}`),
    'HTTP_400',
    'HTTP 400: too long, with [redacted]',
    1,
  ],
  [
    'a server that stays busy',
    failing(503, 'oh no', { 'retry-after': '0' }),
    'HTTP_503',
    'HTTP 503: oh no',
    3,
  ],
  ['a redirect', failing(307, 'there', { location: 'http://127.0.0.1:9/' }), 'MODEL_ERROR', 'there', 1],
  ['a server that is silent', never, 'TIMEOUT', 'did not answer within 1 s', 1],
])('%s is told, and no secret', async (_what, handler, errorCode, message, asked) => {
  const server = await startLoopback(handler);

  const answers = await ask(settingsOf(server, handler === never ? { timeout: 1 } : {}));

  expect(answers).toEqual([{ errorCode, errorMessage: expect.stringContaining(message) }]);
  expect(answers[0]?.errorMessage).toContain(server.origin);
  expect(server.received).toHaveLength(asked);
  expectNoLeak(answers, [KEY]);
});

test('a run that is stopped ends the request, and says nothing', async () => {
  const server = await startLoopback(never);
  const stop = new AbortController();
  const cut = server.cutOff(1);

  const asked = ask(settingsOf(server), { signal: stop.signal });
  await server.arrived(1);
  stop.abort();

  expect(await asked).toEqual([]);
  await cut;
});

test('a server with a CA of its own is trusted where the config says so', { timeout: 20_000 }, async () => {
  const authority = await createAuthority();
  const file = join(folderOf({}), 'ca.pem');
  writeFileSync(file, authority.cert);
  const server = await startTlsLoopback({ ...(await authority.server()), requestCert: false }, always(YES));

  const trusted = await ask(settingsOf(server, { tls_ca_cert_path: file }));
  const not = await ask(settingsOf(server));

  expect(trusted).toMatchObject([{ content: { parts: [{ text: 'Yes.' }] } }]);
  expect(not).toMatchObject([{ errorCode: 'server_unreachable' }]);
  expect(server.received).toHaveLength(1);
});

test('a wrong URL and a variable that is not set are told by their fields', async () => {
  const at = (more: object) => createModel({ type: 'gemini', model: 'm', api_key: KEY, ...more }, {});

  await expect(at({ base_url: 'ftp://a.example' })).rejects.toThrow(
    'model.base_url: must be an http or https',
  );
  await expect(at({ api_key: `\${NONE}` })).rejects.toThrow(
    'model.api_key: the environment has no variable NONE',
  );
});
