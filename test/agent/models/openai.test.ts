import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setLogger } from '@google/adk';
import { expect, onTestFinished, test } from 'vitest';
import { createModel } from '../../../src/agent/models.ts';
import type { ModelSettings } from '../../../src/config/model.ts';
import { always, json, type Loopback, startLoopback } from '../../support/loopback.ts';
import { folderOf } from '../support.ts';
import { ask, chunks, completion, DAY_TOOL, KEY, request, sse, type WireCall } from './wire.ts';

const TWO: readonly WireCall[] = [
  { id: 'call_a', name: 'calendar', args: '{"day":"monday"}' },
  { id: 'call_b', name: 'mail', args: '' },
];
const USAGE = {
  promptTokenCount: 11,
  candidatesTokenCount: 5,
  thoughtsTokenCount: 2,
  cachedContentTokenCount: 4,
  totalTokenCount: 18,
};

const settingsOf = ({ origin }: Loopback, more: Partial<ModelSettings> = {}): ModelSettings => ({
  ...{ type: 'openai', model: 'test-model', api_key: KEY, base_url: `${origin}/v1` },
  ...more,
});

test('a text comes back with why it ended, what it cost and which model said it', async () => {
  const server = await startLoopback(always(completion('All is well.')));

  const answers = await ask(settingsOf(server));

  expect(answers).toEqual([
    {
      content: { role: 'model', parts: [{ text: 'All is well.' }] },
      ...{ finishReason: 'STOP', partial: false, modelVersion: 'model-2026-01-01', usageMetadata: USAGE },
    },
  ]);
  const [first] = server.received;
  expect([first?.path, first?.headers.authorization]).toEqual(['/v1/chat/completions', `Bearer ${KEY}`]);
  expect(JSON.parse(first?.body ?? '')).toMatchObject({
    model: 'test-model',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hello.' },
    ],
  });
});

test('a stream comes as pieces and then as a whole, with its calls', async () => {
  const server = await startLoopback((_request, response) => sse(response, chunks('All is well.', TWO)));

  const answers = await ask(settingsOf(server), { stream: true });

  const piece = (text: string): object => ({ content: { role: 'model', parts: [{ text }] }, partial: true });
  expect(answers).toEqual([
    piece('All '),
    piece('is '),
    piece('well.'),
    {
      content: {
        role: 'model',
        parts: [
          { text: 'All is well.' },
          { functionCall: { id: 'call_a', name: 'calendar', args: { day: 'monday' } } },
          { functionCall: { id: 'call_b', name: 'mail', args: {} } },
        ],
      },
      ...{ finishReason: 'STOP', partial: false, modelVersion: 'model-2026-01-01', usageMetadata: USAGE },
    },
  ]);
});

test('tools, settings and parallel calls with their results are sent as the provider wants them', async () => {
  const server = await startLoopback(always(completion('Done.')));
  const settings = settingsOf(server, {
    ...{
      temperature: 0.5,
      max_tokens: 100,
      top_p: 0.9,
      frequency_penalty: 0.1,
      presence_penalty: 0.2,
      seed: 7,
    },
    ...{ reasoning_effort: 'low', organization: 'org-1', headers: { 'x-team': 'blue' } },
  });
  const call = (id: string, name: string): object => ({ functionCall: { id, name, args: { of: id } } });
  const response = (id: string, name: string): object => ({
    functionResponse: { id, name, response: { result: `result of ${id}` } },
  });

  await ask(settings, {
    request: request('Go.', {
      contents: [
        { role: 'user', parts: [{ text: 'Go.' }] },
        { role: 'model', parts: [{ text: 'Now.' }, call('call_a', 'calendar'), call('call_b', 'mail')] },
        { role: 'user', parts: [response('call_b', 'mail'), response('call_a', 'calendar')] },
      ],
      config: { tools: [DAY_TOOL], stopSequences: ['END'], temperature: 0 },
    }),
  });

  expect(JSON.parse(server.received[0]?.body ?? '')).toEqual({
    ...{ model: 'test-model', temperature: 0, max_tokens: 100, top_p: 0.9, seed: 7, stop: ['END'] },
    ...{ frequency_penalty: 0.1, presence_penalty: 0.2, reasoning_effort: 'low' },
    messages: [
      { role: 'user', content: 'Go.' },
      {
        ...{ role: 'assistant', content: 'Now.' },
        tool_calls: [
          { id: 'call_a', type: 'function', function: { name: 'calendar', arguments: '{"of":"call_a"}' } },
          { id: 'call_b', type: 'function', function: { name: 'mail', arguments: '{"of":"call_b"}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'call_a', content: '{"result":"result of call_a"}' },
      { role: 'tool', tool_call_id: 'call_b', content: '{"result":"result of call_b"}' },
    ],
    tools: [
      {
        type: 'function',
        function: {
          name: 'calendar',
          description: 'Looks up a day.',
          parameters: {
            type: 'object',
            properties: { day: { type: ['string', 'null'] }, hour: { type: 'integer', enum: [8, 9] } },
            required: ['day'],
          },
        },
      },
      {
        type: 'function',
        function: { name: 'mail', parameters: { type: 'object', properties: { to: { type: 'string' } } } },
      },
      { type: 'function', function: { name: 'bare', parameters: { type: 'object', properties: {} } } },
    ],
  });
  expect(server.received[0]?.headers).toMatchObject({ 'x-team': 'blue', 'openai-organization': 'org-1' });
});

test('a key in a file is read for each request', async () => {
  const server = await startLoopback(always(completion('Yes.')));
  const file = join(folderOf({}), 'key');
  writeFileSync(file, 'first-key\n');
  const model = await createModel(settingsOf(server, { api_key: `file:${file}` }), {});
  const asked = async (): Promise<void> => {
    for await (const _ of model.generateContentAsync(request()));
  };

  await asked();
  writeFileSync(file, 'second-key\n');
  await asked();

  const sent = server.received.map(({ headers }) => headers.authorization);
  expect(sent).toEqual(['Bearer first-key', 'Bearer second-key']);
});

test('a server of its own gets no key that it was not given', async () => {
  const server = await startLoopback(always(completion('Yes.')));

  await ask({ type: 'openai', model: 'm', base_url: `${server.origin}/v1` });
  await ask({ type: 'ollama', model: 'm' }, { environment: { OLLAMA_HOST: server.host } });
  await ask({
    type: 'openai',
    model: 'm',
    base_url: `${server.origin}/v1`,
    headers: { Authorization: 'Own x' },
  });

  expect(server.received.map(({ path, headers }) => [path, headers.authorization])).toEqual([
    ['/v1/chat/completions', undefined],
    ['/v1/chat/completions', undefined],
    ['/v1/chat/completions', 'Own x'],
  ]);
});

test('what the provider leaves out is told, once', async () => {
  const server = await startLoopback(always(completion('Yes.')));
  const lines: unknown[] = [];
  const none = (): void => {};
  setLogger({
    ...{ log: none, debug: none, info: none, error: none, setLogLevel: none },
    warn: (...args) => lines.push(...args),
  });
  onTestFinished(() => setLogger(null));
  const model = await createModel(settingsOf(server, { top_k: 5 }), {});

  for (const _ of [1, 2]) for await (const _answer of model.generateContentAsync(request()));

  expect(lines).toEqual(['onbehalf: model test-model: topK is not for this model']);
});

test('calls whose arguments are no JSON are not made: the model is told, and asked again', async () => {
  const bad = { id: 'call_a', name: 'calendar', args: '{"day":"mon' };
  const good = { id: 'call_b', name: 'mail', args: '{}' };
  const server = await startLoopback(({ body }, response) => {
    const { messages } = JSON.parse(body) as { messages: { role: string }[] };
    const again = messages.some(({ role }) => role === 'tool');
    json(response, again ? completion('Better so.') : completion('Let me see. ', [bad, good]));
  });

  const [answer, ...others] = await ask(settingsOf(server));

  expect(others).toEqual([]);
  expect(answer?.content?.parts).toEqual([{ text: 'Let me see. ' }, { text: 'Better so.' }]);
  expect(answer?.usageMetadata?.totalTokenCount).toBe(36);
  const { messages } = JSON.parse(server.received[1]?.body ?? '');
  expect(messages.slice(-2)).toMatchObject([
    { role: 'tool', tool_call_id: 'call_a', content: expect.stringContaining('not a JSON object') },
    { role: 'tool', tool_call_id: 'call_b', content: expect.stringContaining('another call') },
  ]);
});

test.each([false, true])(
  'a model that never gives valid arguments is an error (stream: %s)',
  async (stream) => {
    const bad = [{ id: 'call_a', name: 'calendar', args: '[1]' }];
    const server = await startLoopback((_request, response) =>
      stream ? sse(response, chunks('', bad)) : json(response, completion(null, bad)),
    );

    const answers = await ask(settingsOf(server), { stream });

    expect(answers).toEqual([
      { errorCode: 'MODEL_ERROR', errorMessage: expect.stringContaining('no JSON object, again and again') },
    ]);
    expect(server.received).toHaveLength(3);
  },
);
