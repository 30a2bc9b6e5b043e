import type { LanguageModelV3Content, LanguageModelV3FinishReason } from '@ai-sdk/provider';
import { expect, test } from 'vitest';
import { type Answer, toLlmResponse } from '../../../src/agent/models/answer.ts';
import { toPrompt } from '../../../src/agent/models/prompt.ts';

const nothing = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};
const answer = (
  content: readonly LanguageModelV3Content[],
  unified: LanguageModelV3FinishReason['unified'] = 'stop',
): Answer => ({ content, finishReason: { unified, raw: unified }, usages: [nothing] });
const text = (said: string): LanguageModelV3Content => ({ type: 'text', text: said });
const call: LanguageModelV3Content = {
  ...{ type: 'tool-call', toolCallId: 'a', toolName: 'mail', input: '{"to":"bob"}' },
};

test.each<[LanguageModelV3FinishReason['unified'], string]>([
  ['stop', 'STOP'],
  ['tool-calls', 'STOP'],
  ['length', 'MAX_TOKENS'],
  ['content-filter', 'SAFETY'],
  ['error', 'OTHER'],
  ['other', 'OTHER'],
])('an answer that ended by %s is told with %s', (unified, reason) => {
  const { finishReason, errorCode, usageMetadata } = toLlmResponse(answer([text('So.')], unified));

  expect([finishReason, errorCode, usageMetadata]).toEqual([reason, undefined, {}]);
});

test('an answer that says nothing is empty where the model wanted it so, and else an error', () => {
  expect(toLlmResponse(answer([])).content).toEqual({ role: 'model', parts: [{ text: '' }] });
  for (const unified of ['length', 'content-filter', 'other'] as const) {
    const { content, errorCode, finishReason } = toLlmResponse(answer([text('')], unified));
    expect([content, errorCode]).toEqual([undefined, finishReason]);
  }
});

test('no part is an empty text, for which ADK would forget the calls behind it', () => {
  const empty: LanguageModelV3Content = { type: 'reasoning', text: '' };
  const signed: LanguageModelV3Content = { ...empty, providerMetadata: { anthropic: { signature: 's' } } };

  const { content } = toLlmResponse(answer([empty, signed, text(''), call]));

  expect(content?.parts?.map((part) => Object.keys(part))).toEqual([
    ['thought', 'partMetadata'],
    ['functionCall'],
  ]);
  const [message] = toPrompt({ contents: content ? [content] : [] });
  expect(message?.content).toEqual([
    { type: 'reasoning', text: '', providerOptions: { anthropic: { signature: 's' } } },
    { type: 'tool-call', toolCallId: 'a', toolName: 'mail', input: { to: 'bob' } },
  ]);
});

test('a file is handed on', () => {
  const files: LanguageModelV3Content[] = [
    { type: 'file', mediaType: 'image/png', data: 'YQ==' },
    { type: 'file', mediaType: 'image/png', data: new Uint8Array([97]) },
  ];

  const file = { inlineData: { mimeType: 'image/png', data: 'YQ==' } };
  expect(toLlmResponse(answer(files)).content?.parts).toEqual([file, file]);
});
