import { expect, test } from 'vitest';
import { baseUrlOf, type ProviderType } from '../../../src/agent/models/base-url.ts';

type Row = [ProviderType, string | undefined, Record<string, string>, string | undefined, boolean];

test.each<Row>([
  ['openai', undefined, {}, 'https://api.openai.com/v1', false],
  ['openai', undefined, { OPENAI_BASE_URL: 'https://a.example/v1/' }, 'https://a.example/v1', true],
  ['openai', 'https://b.example/v1', { OPENAI_BASE_URL: 'https://a.example' }, 'https://b.example/v1', true],
  ['anthropic', undefined, {}, 'https://api.anthropic.com/v1', false],
  ['anthropic', 'https://a.example/v1', {}, 'https://a.example/v1', true],
  ['ollama', undefined, {}, 'http://127.0.0.1:11434/v1', false],
  ['ollama', undefined, { OLLAMA_HOST: '0.0.0.0' }, 'http://127.0.0.1:11434/v1', true],
  ['ollama', undefined, { OLLAMA_HOST: 'gpu:8080' }, 'http://gpu:8080/v1', true],
  [
    'ollama',
    undefined,
    { OLLAMA_API_BASE: 'https://o.example/', OLLAMA_HOST: 'gpu' },
    'https://o.example/v1',
    true,
  ],
  ['azure_openai', 'https://a.example/', {}, 'https://a.example/openai/v1', true],
  ['bedrock', undefined, {}, undefined, false],
])('%s at %s with %j is asked at %s', (type, base_url, environment, url, given) => {
  expect(baseUrlOf(type, { type, model: 'm', base_url }, environment)).toEqual({ url, given });
});

test('a variable that is wrong is named', () => {
  const environment = { OPENAI_BASE_URL: 'a.example' };

  expect(() => baseUrlOf('openai', { type: 'openai', model: 'm' }, environment)).toThrow(
    'OPENAI_BASE_URL: must be an http or https URL',
  );
});
