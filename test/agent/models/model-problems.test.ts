import { expect, test } from 'vitest';
import { refusedOfModel, remarksOnModel } from '../../../src/agent/models/model-problems.ts';
import { modelSettings } from '../../../src/config/model.ts';

const parsed = (fields: object) => modelSettings.parse({ model: 'm', ...fields });
const paths = (problems: readonly { readonly path: string }[]): string[] => problems.map(({ path }) => path);

// Every field of kagent's models that this config has.
const ALL = {
  ...{ api_key: 'fake', base_url: 'https://a.example', headers: { a: 'b' }, temperature: 1, max_tokens: 1 },
  ...{
    top_p: 1,
    top_k: 1,
    frequency_penalty: 1,
    presence_penalty: 1,
    seed: 1,
    reasoning_effort: 'low',
    timeout: 1,
  },
  ...{ organization: 'o', api_version: 'v1', project: 'p', location: 'l', region: 'r', n: 1, options: {} },
};

test.each<[string, string[]]>([
  ['openai', ['top_k', 'api_version', 'project', 'location', 'region', 'n', 'options']],
  ['azure_openai', ['top_k', 'organization', 'project', 'location', 'region', 'n', 'options']],
  [
    'anthropic',
    [
      ...['frequency_penalty', 'presence_penalty', 'seed', 'reasoning_effort', 'organization', 'api_version'],
      ...['project', 'location', 'region', 'n', 'options'],
    ],
  ],
  ['ollama', ['top_k', 'organization', 'api_version', 'project', 'location', 'region', 'n', 'options']],
  [
    'bedrock',
    [
      ...['frequency_penalty', 'presence_penalty', 'seed', 'reasoning_effort', 'organization', 'api_version'],
      ...['project', 'n', 'options'],
    ],
  ],
  [
    'gemini',
    ['reasoning_effort', 'organization', 'api_version', 'project', 'location', 'region', 'n', 'options'],
  ],
  [
    'gemini_vertex_ai',
    ['api_key', 'reasoning_effort', 'organization', 'api_version', 'region', 'n', 'options'],
  ],
])('%s: what is not sent is named, and nothing else', (type, fields) => {
  const model = parsed({ type, ...ALL });

  expect(paths(remarksOnModel(model)).sort()).toEqual(fields.map((field) => `model.${field}`).sort());
  expect(refusedOfModel(model)).toEqual([]);
});

test('fields that are null are not given', () => {
  const model = parsed({ type: 'anthropic', top_k: null, seed: null, n: null, base_url: '' });

  expect([...remarksOnModel(model), ...refusedOfModel(model)]).toEqual([]);
});

test("the user's token as a key is refused", () => {
  expect(paths(refusedOfModel(parsed({ type: 'openai', api_key_passthrough: true })))).toEqual([
    'model.api_key_passthrough',
  ]);
});

test('what others could read is told', () => {
  const open = parsed({
    type: 'ollama',
    base_url: 'http://ollama.models:11434',
    tls_insecure_skip_verify: true,
  });
  const near = parsed({ type: 'ollama', base_url: 'http://127.0.0.1:11434' });

  expect(remarksOnModel(open)).toEqual([
    { path: 'model.tls_insecure_skip_verify', message: expect.stringContaining('NOT verified') },
    { path: 'model.base_url', message: expect.stringContaining('plain http') },
  ]);
  expect(remarksOnModel(near)).toEqual([]);
});
