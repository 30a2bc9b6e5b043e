import type { LlmRequest, LlmResponse } from '@google/adk';
import { expect, test } from 'vitest';
import type { ModelSettings } from '../../../src/config/model.ts';
import { always, json, startLoopback } from '../../support/loopback.ts';
import { ask, completion, DAY_TOOL, KEY, request, sse } from './wire.ts';

const SIGNATURE = 'signature-of-a-thought';
const USAGE = { input_tokens: 9, output_tokens: 4 };
const THOUGHT = [
  { type: 'thinking', thinking: 'Monday, then.', signature: SIGNATURE },
  { type: 'text', text: 'I look.' },
  { type: 'tool_use', id: 'toolu_a', name: 'calendar', input: { day: 'monday' } },
  { type: 'tool_use', id: 'toolu_b', name: 'bare', input: {} },
];

const anthropicAnswer = (content: readonly object[], stop: string): object => ({
  ...{ type: 'message', id: 'm1', role: 'assistant', model: 'claude-test-1', content },
  ...{ stop_reason: stop, stop_sequence: null, usage: USAGE },
});

/** The same answer as events. */
function anthropicEvents(stop: string): object[] {
  const block = (index: number, start: object, deltas: readonly object[]): object[] => [
    { type: 'content_block_start', index, content_block: start },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ];
  const message = { ...anthropicAnswer([], stop), stop_reason: null };
  return [
    { type: 'message_start', message },
    ...block(0, { type: 'thinking', thinking: '', signature: '' }, [
      { type: 'thinking_delta', thinking: 'Monday, ' },
      { type: 'thinking_delta', thinking: 'then.' },
      { type: 'signature_delta', signature: SIGNATURE },
    ]),
    ...block(1, { type: 'text', text: '' }, [
      { type: 'text_delta', text: 'I ' },
      { type: 'text_delta', text: 'look.' },
    ]),
    ...block(2, { type: 'tool_use', id: 'toolu_a', name: 'calendar', input: {} }, [
      { type: 'input_json_delta', partial_json: '{"day":' },
      { type: 'input_json_delta', partial_json: '"monday"}' },
    ]),
    ...block(3, { type: 'tool_use', id: 'toolu_b', name: 'bare', input: {} }, []),
    { type: 'message_delta', delta: { stop_reason: stop, stop_sequence: null }, usage: USAGE },
    { type: 'message_stop' },
  ];
}

/** What ADK asks next: the answer as the session has it, and the results of its calls. */
function next({ content }: LlmResponse): LlmRequest {
  const results = (content?.parts ?? []).flatMap(({ functionCall }) =>
    functionCall ? [{ functionResponse: { ...idAndName(functionCall), response: { ok: true } } }] : [],
  );
  const kept = JSON.parse(JSON.stringify(content));
  return request('Go.', {
    contents: [
      { role: 'user', parts: [{ text: 'Go.' }] },
      kept,
      { role: 'user', parts: results },
    ] as LlmRequest['contents'],
    config: { tools: [DAY_TOOL] },
  });
}

const idAndName = ({ id, name }: { id?: string; name?: string }): object => ({ id, name });

test.each([false, true])(
  'Anthropic gets its thoughts back, with their signature (stream: %s)',
  async (stream) => {
    const server = await startLoopback(({ body }, response) => {
      const { messages, stream: streamed } = JSON.parse(body);
      if (messages.length > 1) {
        json(response, anthropicAnswer([{ type: 'text', text: 'Done.' }], 'end_turn'));
      } else if (streamed) sse(response, anthropicEvents('tool_use'));
      else json(response, anthropicAnswer(THOUGHT, 'tool_use'));
    });
    const settings: ModelSettings = {
      ...{ type: 'anthropic', model: 'claude-sonnet-4-5', api_key: KEY, base_url: server.origin, top_k: 5 },
    };

    const answers = await ask(settings, {
      stream,
      request: request('Go.', { config: { tools: [DAY_TOOL] } }),
    });
    const last = answers.at(-1) as LlmResponse;
    const [done] = await ask(settings, { request: next(last) });

    expect(last.content?.parts).toMatchObject([
      { thought: true, text: 'Monday, then.' },
      { text: 'I look.' },
      { functionCall: { id: 'toolu_a', name: 'calendar', args: { day: 'monday' } } },
      { functionCall: { id: 'toolu_b', name: 'bare', args: {} } },
    ]);
    expect(last).toMatchObject({ finishReason: 'STOP', partial: false, modelVersion: 'claude-test-1' });
    expect(last.usageMetadata).toEqual({ promptTokenCount: 9, candidatesTokenCount: 4, totalTokenCount: 13 });
    const pieces = answers.slice(0, -1).map(({ content }) => content?.parts?.[0]);
    expect(pieces).toEqual(
      stream
        ? [
            { text: 'Monday, ', thought: true },
            { text: 'then.', thought: true },
            { text: 'I ' },
            { text: 'look.' },
          ]
        : [],
    );
    expect(done?.content?.parts).toEqual([{ text: 'Done.' }]);
    const [first, second] = server.received;
    expect([first?.path, first?.headers['x-api-key']]).toEqual(['/v1/messages', KEY]);
    expect(JSON.parse(first?.body ?? '')).toMatchObject({ top_k: 5 });
    expect(JSON.parse(second?.body ?? '').messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant', content: THOUGHT },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'toolu_a' },
          { type: 'tool_result', tool_use_id: 'toolu_b' },
        ],
      },
    ]);
  },
);

test('thoughts of another provider are left out', async () => {
  const server = await startLoopback(always(completion('Yes.')));
  const thought = {
    thought: true,
    text: 'Hm.',
    partMetadata: { providerMetadata: { anthropic: { signature: 's' } } },
  };

  await ask(
    { type: 'openai', model: 'm', base_url: server.origin },
    {
      request: request('', {
        contents: [
          { role: 'model', parts: [thought, { text: 'So.' }] },
          { role: 'user', parts: [{ text: 'And?' }] },
        ],
      }),
    },
  );

  expect(JSON.parse(server.received[0]?.body ?? '').messages.slice(1)).toEqual([
    { role: 'assistant', content: 'So.' },
    { role: 'user', content: 'And?' },
  ]);
});

test.each<[string, string, string | undefined, string]>([
  ['', 'its resource', undefined, '/openai/v1/chat/completions'],
  ['/openai/', 'a path', 'v1', '/openai/v1/chat/completions'],
  ['/openai/v1', 'a version', undefined, '/openai/v1/chat/completions'],
  [
    ...(['', 'a dated version', '2024-10-21'] as const),
    '/openai/deployments/d/chat/completions?api-version=2024-10-21',
  ],
])('Azure is asked at "%s" as %s says', async (path, _what, api_version, asked) => {
  const server = await startLoopback(always(completion('Yes.')));
  const environment = { AZURE_OPENAI_API_KEY: KEY, AZURE_OPENAI_ENDPOINT: `${server.origin}${path}` };

  const answers = await ask({ type: 'azure_openai', model: 'd', api_version }, { environment });

  expect(answers[0]?.content?.parts).toEqual([{ text: 'Yes.' }]);
  const [first] = server.received;
  expect([first?.path, first?.headers['api-key'], first?.headers.authorization]).toEqual([
    asked,
    KEY,
    undefined,
  ]);
});

const converse = {
  output: {
    message: {
      role: 'assistant',
      content: [
        { text: 'I look.' },
        { toolUse: { toolUseId: 'tooluse_a', name: 'calendar', input: { day: 'monday' } } },
        { toolUse: { toolUseId: 'tooluse_b', name: 'bare', input: {} } },
      ],
    },
  },
  ...{ stopReason: 'tool_use', usage: { inputTokens: 9, outputTokens: 4, totalTokens: 13 } },
};

test('Bedrock is asked by an API key, and gets the results of parallel calls', async () => {
  const server = await startLoopback(always(converse));
  const settings: ModelSettings = { type: 'bedrock', model: 'team.model-v1:0', base_url: server.origin };
  const environment = { AWS_BEARER_TOKEN_BEDROCK: KEY, AWS_REGION: 'eu-west-1' };
  const tools = request('Go.', { config: { tools: [DAY_TOOL] } });

  const [first] = await ask(settings, { environment, request: tools });
  await ask(settings, { environment, request: next(first as LlmResponse) });

  expect(first?.content?.parts).toEqual([
    { text: 'I look.' },
    { functionCall: { id: 'tooluse_a', name: 'calendar', args: { day: 'monday' } } },
    { functionCall: { id: 'tooluse_b', name: 'bare', args: {} } },
  ]);
  expect(first?.usageMetadata).toEqual({ promptTokenCount: 9, candidatesTokenCount: 4, totalTokenCount: 13 });
  const [, again] = server.received;
  expect([again?.path, again?.headers.authorization]).toEqual([
    '/model/team.model-v1%3A0/converse',
    `Bearer ${KEY}`,
  ]);
  const results = JSON.parse(again?.body ?? '').messages.at(-1).content;
  expect(
    results.map(({ toolResult }: { toolResult?: { toolUseId: string } }) => toolResult?.toolUseId),
  ).toEqual(['tooluse_a', 'tooluse_b']);
});

test('Bedrock is asked with a signature by an access key', async () => {
  const server = await startLoopback(always(converse));
  const environment = {
    AWS_ACCESS_KEY_ID: 'FAKEID',
    AWS_SECRET_ACCESS_KEY: KEY,
    AWS_SESSION_TOKEN: 'fake-session',
  };

  await ask({ type: 'bedrock', model: 'm', region: 'eu-west-1', base_url: server.origin }, { environment });

  const [first] = server.received;
  expect(first?.headers.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=FAKEID\/\d{8}\/eu-west-1\/bedrock\//,
  );
  expect(first?.headers['x-amz-security-token']).toBe('fake-session');
  expect(JSON.stringify(first)).not.toContain(KEY);
});
