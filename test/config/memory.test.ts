import { expect, test } from 'vitest';
import { right, wrong } from './fixtures.ts';

test.each([
  ['what kagent writes', { ttl_days: 15, embedding: { provider: 'openai', model: 'm', base_url: '' } }],
  ['nothing but that there is one', {}],
  ['a field that a later kagent may have', { ttl_days: 3650, later: 1 }],
])('%s is read', (_, memory) => {
  expect(right({ memory }).memory).toEqual(memory);
});

test.each([null, false, undefined])('%s is no memory', (memory) => {
  expect(right({ memory }).memory).toBeUndefined();
});

test.each([
  ['a text', 'on', 'memory: '],
  ['true', true, 'memory: '],
  ['a list', [], 'memory: '],
  ['days before today', { ttl_days: -1 }, 'memory.ttl_days: '],
  ['half a day', { ttl_days: 0.5 }, 'memory.ttl_days: '],
  ['days as a text', { ttl_days: '15' }, 'memory.ttl_days: '],
])('%s is a problem at its path', (_, memory, path) => {
  const problems = wrong({ memory });
  expect(problems).toHaveLength(1);
  expect(problems[0]?.startsWith(path), problems[0]).toBe(true);
});
