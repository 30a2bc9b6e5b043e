import { expect, test } from 'vitest';
import { right, wrong } from './fixtures.ts';

const TYPES = ['openai', 'azure_openai', 'anthropic', 'gemini', 'gemini_vertex_ai', 'ollama', 'bedrock'];

test.each(TYPES)('a model of type %s is read', (type) => {
  expect(right({ model: { type, model: 'a' } }).model).toEqual({ type, model: 'a' });
});

test('every field of a model is read, and those of kagent that are not used are kept', () => {
  const model = {
    type: 'gemini_vertex_ai',
    model: 'a',
    api_key: 'file:/key',
    base_url: 'https://models.example.com',
    headers: { 'x-a': '1' },
    temperature: 0,
    max_tokens: 1,
    api_version: '1',
    project: 'p',
    location: 'l',
    tls_insecure_skip_verify: true,
    tls_ca_cert_path: '/ca',
    tls_disable_system_cas: true,
    top_p: 0.5,
  };
  expect(right({ model }).model).toEqual(model);
});

test('a scripted model has turns, and no other has', () => {
  const turns = [{ text: 'Hello.' }, { calls: [{ name: 'list' }] }];
  expect(right({ model: { type: 'scripted', model: 'a', turns } }).model?.turns).toEqual([
    { text: 'Hello.' },
    { calls: [{ name: 'list', args: {} }] },
  ]);
  expect(wrong({ model: { type: 'scripted', model: 'a' } })).toEqual([
    'model.turns: is needed for the type scripted, and for no other',
  ]);
  expect(wrong({ model: { type: 'openai', model: 'a', turns } })).toHaveLength(1);
});

test.each([
  ['temperature', -1],
  ['temperature', '0.5'],
  ['max_tokens', 0],
  ['max_tokens', 1.5],
  ['api_key', ''],
  ['headers', { a: 1 }],
])('%s of %j is a problem', (member, value) => {
  expect(wrong({ model: { type: 'openai', model: 'a', [member]: value } })[0]).toMatch(`model.${member}`);
});
