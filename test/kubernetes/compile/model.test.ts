import { expect, test } from 'vitest';
import type { ModelSettings } from '../../../src/config/model.ts';
import { agentWith, brief, compiled, data, type Given, model, problemsOf, service } from './objects.ts';

const AGENT = agentWith([]);
const withModel = (spec: object, ...more: readonly Given[]): readonly Given[] => [
  service(),
  model({ ...spec }),
  ...more,
];
const configOf = (spec: object): ModelSettings | null => compiled(AGENT, withModel(spec)).config.model;
const variable = (name: string): string => `\${${name}}`;

test.each([
  ['Anthropic', {}, 'anthropic', 'ANTHROPIC_API_KEY'],
  ['AzureOpenAI', { baseURL: 'https://models.example.com' }, 'azure_openai', 'AZURE_OPENAI_API_KEY'],
  ['Bedrock', {}, 'bedrock', 'AWS_BEARER_TOKEN_BEDROCK'],
  ['Gemini', {}, 'gemini', 'GOOGLE_API_KEY'],
  ['GeminiVertexAI', { project: 'p', location: 'l' }, 'gemini_vertex_ai', 'GOOGLE_API_KEY'],
  ['Ollama', {}, 'ollama', 'OLLAMA_API_KEY'],
  ['OpenAI', {}, 'openai', 'OPENAI_API_KEY'],
])('the API key of %s comes by a variable, never by the config', (provider, more, type, name) => {
  const key = { apiKeySecret: 'keys', apiKeySecretKey: 'key' };
  const { config, variables, dataVersions } = compiled(AGENT, [
    ...withModel({ provider, ...more, ...key }),
    data('Secret', 'keys', { key: 'planted-key' }),
  ]);
  expect(config.model).toMatchObject({ type, api_key: variable(name) });
  expect(variables).toEqual([{ name, secret: 'keys', key: 'key' }]);
  expect(dataVersions).toEqual(['Secret/keys/']);
});

test('a model without an API key has neither', () => {
  const { config, variables } = compiled(AGENT, withModel({}));
  expect(config.model).toEqual({ type: 'openai', model: 'example-model' });
  expect(variables).toEqual([]);
});

test('every field of a model is in the config', () => {
  expect(
    configOf({
      provider: 'GeminiVertexAI',
      baseURL: 'https://models.example.com/v1',
      defaultHeaders: { 'x-b': variable('HOME'), 'x-a': 'file:/etc/passwd' },
      temperature: '0.25',
      maxTokens: 1000,
      apiVersion: '2026-01-01',
      project: 'example',
      location: 'europe-west1',
      tls: { disableVerify: true },
    }),
  ).toEqual({
    type: 'gemini_vertex_ai',
    model: 'example-model',
    base_url: 'https://models.example.com/v1',
    headers: { 'x-a': '$file:/etc/passwd', 'x-b': `$${variable('HOME')}` },
    temperature: 0.25,
    max_tokens: 1000,
    api_version: '2026-01-01',
    project: 'example',
    location: 'europe-west1',
    tls_insecure_skip_verify: true,
  });
});

test('a scripted model says its turns', () => {
  const turns = [
    { text: 'Hello.' },
    { calls: [{ name: 'list', arguments: '{"day":"monday"}' }, { name: 'now' }] },
  ];
  expect(configOf({ provider: 'Scripted', turns })).toMatchObject({
    type: 'scripted',
    turns: [
      { text: 'Hello.' },
      {
        calls: [
          { name: 'list', args: { day: 'monday' } },
          { name: 'now', args: {} },
        ],
      },
    ],
  });
});

test.each(['not json', '[1]', 'null', '"text"'])(
  'arguments %s that are no JSON object are a problem',
  (text) => {
    const turns = [{ text: 'Hello.' }, { calls: [{ name: 'now' }, { name: 'list', arguments: text }] }];
    expect(brief(problemsOf(AGENT, withModel({ provider: 'Scripted', turns })))).toEqual([
      'Invalid ModelConfig demo/default-model-config spec.turns[1].calls[1].arguments',
    ]);
  },
);

test('an Agent may name its model', () => {
  const agent = agentWith([], { declarative: { modelConfig: 'small' } });
  const objects = [service(), model({ model: 'small-model' }, 'small')];
  expect(compiled(agent, objects).config.model?.model).toBe('small-model');
});

test('a model that is not there is a problem of the Agent', () => {
  expect(brief(problemsOf(AGENT, [service()]))).toEqual([
    'NotFound Agent demo/assistant spec.declarative.modelConfig',
  ]);
});

test('a model of another namespace is not looked at', () => {
  const elsewhere = model({}, 'other/default-model-config');
  expect(brief(problemsOf(AGENT, [service(), elsewhere]))).toHaveLength(1);
});

test('a key that the Secret lacks is a problem of the model', () => {
  const key = { apiKeySecret: 'keys', apiKeySecretKey: 'key' };
  const problems = problemsOf(AGENT, withModel(key, data('Secret', 'keys', {})));
  expect(brief(problems)).toEqual(['KeyNotFound ModelConfig demo/default-model-config spec.apiKeySecretKey']);
  expect(problems[0]?.message).toContain('it is empty');
});

test('a password in baseURL is refused, and not repeated', () => {
  const problems = problemsOf(AGENT, withModel({ baseURL: 'https://user:hunter2@models.example.com' }));
  expect(brief(problems)).toEqual(['Invalid ModelConfig demo/default-model-config spec.baseURL']);
  expect(JSON.stringify(problems)).not.toContain('hunter2');
});
