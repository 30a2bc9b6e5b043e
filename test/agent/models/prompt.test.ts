import type { LanguageModelV3Prompt } from '@ai-sdk/provider';
import type { LlmRequest } from '@google/adk';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toCallOptions } from '../../../src/agent/models/call-options.ts';
import { fromGoogleSchema } from '../../../src/agent/models/google-schema.ts';
import { toPrompt } from '../../../src/agent/models/prompt.ts';
import { toTools } from '../../../src/agent/models/tools.ts';
import { DAY_TOOL } from './wire.ts';

type Contents = LlmRequest['contents'];

const prompt = (contents: unknown, systemInstruction?: unknown): LanguageModelV3Prompt =>
  toPrompt({
    contents: contents as Contents,
    config: { systemInstruction } as LlmRequest['config'] & object,
  });

// Few of them, so that they meet: the same twice, in two answers, at a call and at a response to another.
const id = fc.constantFrom(undefined, 'a', 'b', 'call_1', 'not an id!', 'x'.repeat(100));
const name = fc.constantFrom('calendar', 'mail');
const record = fc.dictionary(fc.string(), fc.jsonValue());
const text = fc.string({ minLength: 1 }).map((said) => `«${said}»`);
const part = fc.oneof(
  fc.record({ text: fc.oneof(text, fc.constant('')) }),
  fc.record({ text, thought: fc.boolean() }),
  fc.record({ functionCall: fc.record({ id, name, args: record }, { requiredKeys: ['name'] }) }),
  fc.record({ functionResponse: fc.record({ id, name, response: record }, { requiredKeys: ['name'] }) }),
  fc.record({
    inlineData: fc.record({ mimeType: fc.constantFrom('image/png', 'text/plain'), data: fc.base64String() }),
  }),
  fc.record({ fileData: fc.record({ fileUri: fc.webUrl(), mimeType: fc.constant('image/png') }) }),
  fc.constant({}),
);
const conversation = fc.array(
  fc.record({ role: fc.constantFrom('user', 'model', undefined), parts: fc.array(part, { maxLength: 5 }) }),
  { maxLength: 8 },
);

test('whatever was said: no text is lost, and each call has one result, right behind it, under an id of its own', () => {
  fc.assert(
    fc.property(conversation, (contents) => {
      const messages = prompt(contents, 'Be brief.');

      const said = JSON.stringify(messages);
      for (const { role, parts } of contents) {
        for (const each of parts) {
          // Thoughts of the model without a signature are the only ones that are left out.
          if (!('text' in each) || (role === 'model' && 'thought' in each && each.thought)) continue;
          expect(said).toContain(JSON.stringify(each.text).slice(1, -1));
        }
      }
      const ids: string[] = [];
      messages.forEach((message, index) => {
        if (message.role !== 'system') expect(message.content.length).toBeGreaterThan(0);
        if (message.role === 'tool') expect(messages[index - 1]?.role).toBe('assistant');
        if (message.role !== 'assistant') return;
        const calls = message.content.filter(({ type }) => type === 'tool-call') as { toolCallId: string }[];
        const called = calls.map(({ toolCallId }) => toolCallId);
        const answer = messages[index + 1];
        const results = answer?.role === 'tool' ? (answer.content as unknown as typeof calls) : [];
        expect(results.map(({ toolCallId }) => toolCallId)).toEqual(called);
        ids.push(...called);
      });
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.filter((one) => !/^[\w-]{1,64}$/.test(one))).toEqual([]);
      const made = contents.flatMap(({ role, parts }) =>
        role === 'model' ? parts.filter((each) => 'functionCall' in each) : [],
      );
      expect(ids).toHaveLength(made.length);
      toCallOptions({ contents: contents as Contents }, { type: 'openai', model: 'm' });
    }),
    { numRuns: 500 },
  );
});

const call = (name: string, id?: string): object => ({ functionCall: { name, args: {}, ...(id && { id }) } });
const response = (name: string, id?: string, value: object = { of: id ?? name }): object => ({
  functionResponse: { name, response: value, ...(id && { id }) },
});
const results = (messages: LanguageModelV3Prompt): unknown[] =>
  messages.flatMap((message) =>
    message.role === 'tool'
      ? message.content.map((each) => (each.type === 'tool-result' ? [each.toolCallId, each.output] : []))
      : [],
  );

test('results are those of their calls: by id, else by name and order', () => {
  const contents = [
    { role: 'model', parts: [call('calendar', 'a'), call('mail'), call('mail')] },
    {
      role: 'user',
      parts: [response('mail', undefined, { n: 1 }), response('calendar', 'a'), response('mail')],
    },
  ];

  expect(results(prompt(contents))).toEqual([
    ['a', { type: 'json', value: { of: 'a' } }],
    ['call_1', { type: 'json', value: { n: 1 } }],
    ['call_2', { type: 'json', value: { of: 'mail' } }],
  ]);
});

test('an id that comes twice is given once, and each response goes to the call before it', () => {
  const contents = [
    { role: 'model', parts: [call('mail', 'a')] },
    { role: 'user', parts: [response('mail', 'a', { n: 1 })] },
    { role: 'model', parts: [call('mail', 'a')] },
    { role: 'user', parts: [response('mail', 'a', { n: 2 })] },
  ];

  expect(results(prompt(contents))).toEqual([
    ['a', { type: 'json', value: { n: 1 } }],
    ['call_1', { type: 'json', value: { n: 2 } }],
  ]);
});

test('a response is that of the last call with its id', () => {
  const contents = [
    { role: 'model', parts: [call('mail', 'a')] },
    { role: 'model', parts: [call('mail', 'a')] },
    { role: 'user', parts: [response('mail', 'a')] },
  ];

  expect(results(prompt(contents))).toEqual([
    ['a', { type: 'error-text', value: expect.any(String) }],
    ['call_1', { type: 'json', value: { of: 'a' } }],
  ]);
});

test('thoughts that nothing is kept of are left out, and those of a user are text', () => {
  const parts = [{ thought: true, text: 'Hm.' }];

  expect(prompt([{ role: 'model', parts }])).toEqual([]);
  expect(prompt([{ role: 'user', parts }])).toEqual([
    { role: 'user', content: [{ type: 'text', text: 'Hm.' }] },
  ]);
});

test('a call that was broken off has a result that says so, and one that failed says that', () => {
  const contents = [
    { role: 'model', parts: [call('mail', 'a'), call('mail', 'b')] },
    { role: 'user', parts: [{ text: 'And now?' }, response('mail', 'b', { isError: true })] },
  ];

  expect(results(prompt(contents))).toEqual([
    ['a', { type: 'error-text', value: expect.stringContaining('no result') }],
    ['b', { type: 'error-json', value: { isError: true } }],
  ]);
  expect(prompt(contents).at(-1)).toEqual({ role: 'user', content: [{ type: 'text', text: 'And now?' }] });
});

test('calls and results that a user puts into a message are told as text', () => {
  const contents = [{ role: 'user', parts: [call('mail', 'a'), response('mail', 'a')] }];

  const texts = contents[0]?.parts.map((each) => Object.values(each)[0]);
  expect(prompt(contents)).toEqual([
    { role: 'user', content: texts?.map((each) => ({ type: 'text', text: JSON.stringify(each) })) },
  ]);
});

test('files go as they are, and those of text as text', () => {
  const data = Buffer.from('a,b').toString('base64');
  const parts = [
    { inlineData: { mimeType: 'text/csv', displayName: 'table.csv', data } },
    { inlineData: { mimeType: 'image/png', data } },
    { fileData: { fileUri: 'https://files.example.com/a.png', mimeType: 'image/png' } },
  ];

  expect(prompt([{ role: 'user', parts }])).toEqual([
    {
      role: 'user',
      content: [
        { type: 'text', text: 'table.csv:\na,b' },
        { type: 'file', mediaType: 'image/png', data },
        { type: 'file', mediaType: 'image/png', data: new URL('https://files.example.com/a.png') },
      ],
    },
  ]);
});

test.each<[string, unknown]>([
  ['a text', 'One. Two.'],
  ['a part', { text: 'One. Two.' }],
  ['a content', { role: 'system', parts: [{ text: 'One. Two.' }] }],
])('an instruction may be %s', (_what, instruction) => {
  expect(prompt([], instruction)).toEqual([{ role: 'system', content: 'One. Two.' }]);
});

test("Google's schemas become JSON Schema", () => {
  const schema = {
    ...{ type: 'OBJECT', propertyOrdering: ['list'], minProperties: '1', required: ['list'] },
    properties: {
      list: { type: 'ARRAY', items: { type: 'NUMBER', nullable: true, enum: ['1.5'] }, maxItems: '3' },
      either: {
        anyOf: [{ type: 'STRING' }, { type: 'BOOLEAN' }],
        nullable: true,
        description: 'One of two.',
      },
      any: { type: 'TYPE_UNSPECIFIED' },
      propertyOrdering: { type: 'STRING', enum: ['a'] },
    },
  };

  expect(fromGoogleSchema(schema)).toEqual({
    ...{ type: 'object', minProperties: 1, required: ['list'] },
    properties: {
      list: { type: 'array', items: { type: ['number', 'null'], enum: [1.5, null] }, maxItems: 3 },
      either: {
        anyOf: [{ type: 'string' }, { type: 'boolean' }, { type: 'null' }],
        description: 'One of two.',
      },
      any: {},
      propertyOrdering: { type: 'string', enum: ['a'] },
    },
  });
});

test.each<[string, object, string[], unknown]>([
  ['AUTO', { mode: 'AUTO' }, ['calendar', 'mail', 'bare'], undefined],
  ['NONE', { mode: 'NONE' }, ['calendar', 'mail', 'bare'], { type: 'none' }],
  ['ANY', { mode: 'ANY' }, ['calendar', 'mail', 'bare'], { type: 'required' }],
  [
    'ANY of one',
    { mode: 'ANY', allowedFunctionNames: ['mail'] },
    ['mail'],
    { type: 'tool', toolName: 'mail' },
  ],
  [
    'ANY of two',
    { mode: 'ANY', allowedFunctionNames: ['mail', 'bare'] },
    ['mail', 'bare'],
    { type: 'required' },
  ],
])('the choice %s is made among the right tools', (_what, functionCallingConfig, names, toolChoice) => {
  const config = { tools: [DAY_TOOL], toolConfig: { functionCallingConfig } } as LlmRequest['config'] &
    object;

  const chosen = toTools(config);

  expect(chosen.tools?.map((tool) => tool.name)).toEqual(names);
  expect(chosen.toolChoice).toEqual(toolChoice);
});

test('an answer in JSON is asked for by its schema', () => {
  const config = { responseMimeType: 'application/json', responseSchema: { type: 'OBJECT' } };
  const options = toCallOptions(
    { contents: [], config: config as LlmRequest['config'] & object },
    { type: 'openai', model: 'm' },
  );

  expect(options.responseFormat).toEqual({ type: 'json', schema: { type: 'object' } });
});
