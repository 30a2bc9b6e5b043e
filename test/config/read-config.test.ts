import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fieldPath, readRuntimeConfig } from '../../src/config/read-config.ts';
import { KAGENT, LEAST, SERVICE } from './fixtures.ts';

test.each([
  [[], ''],
  [['a'], 'a'],
  [['a', 0, 'b'], 'a[0].b'],
  [[0], '[0]'],
  [['token_services', 'demo/default', 'issuer'], 'token_services["demo/default"].issuer'],
  [['headers', 'x-a'], 'headers.x-a'],
  [['odd"name'], '["odd\\"name"]'],
])('the path %j is written %s', (path, expected) => {
  expect(fieldPath(path)).toBe(expected);
});

const FULL = {
  ...KAGENT,
  name: 'demo/assistant',
  authentication: { mode: 'jwt', audience: 'a', issuers: [{ issuer: 'https://idp.example.com' }] },
  token_exchange: {
    token_services: {
      sts: {
        ...SERVICE,
        client_authentication: { method: 'client_secret_basic', client_secret: 'file:/secret' },
        actor: { source: 'file', path: '/token' },
      },
    },
    default_token_service: 'sts',
  },
};

/** All places in a value, as paths. */
function placesOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, member]) => placesOf(member, [...path, key]))];
}

function withAt(value: unknown, [step, ...rest]: readonly string[], replacement: unknown): unknown {
  if (step === undefined) return replacement;
  const copy: Record<string, unknown> = (
    Array.isArray(value) ? [...value] : { ...(value as object) }
  ) as never;
  copy[step] = withAt(copy[step], rest, replacement);
  return copy;
}

test('no JSON makes it throw', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const { config, problems } = readRuntimeConfig(value);
      expect(config ?? problems?.length).toBeTruthy();
    }),
  );
});

test('no JSON in any place of a config makes it throw', () => {
  fc.assert(
    fc.property(fc.constantFrom(...placesOf(FULL)), fc.jsonValue({ maxDepth: 3 }), (path, value) => {
      const { config, problems } = readRuntimeConfig(withAt(FULL, path, value));
      expect(config ?? problems?.length).toBeTruthy();
    }),
    { numRuns: 500 },
  );
});

test('no problem repeats a value, in whatever place it is wrong', () => {
  const planted = 'planted-value';
  let problems = 0;
  for (const path of placesOf(FULL)) {
    for (const value of [planted, [planted], { a: planted }, [[planted]], 7]) {
      const read = readRuntimeConfig(withAt(FULL, path, value));
      problems += read.problems?.length ?? 0;
      expect(JSON.stringify(read.problems ?? [])).not.toContain(planted);
    }
  }
  expect(problems).toBeGreaterThan(100);
});

test('a problem says where, also where a server among others is wrong', () => {
  const wrong = withAt(FULL, ['http_tools', '1', 'params', 'timeout'], 'soon');
  expect(readRuntimeConfig(wrong).problems?.map(({ path }) => path)).toEqual([
    'http_tools[1].params.timeout',
  ]);
});

test('what is read is a config again', () => {
  for (const value of [FULL, LEAST, KAGENT]) {
    const { config } = readRuntimeConfig(value);
    expect(config).toBeDefined();
    const text = JSON.stringify(config);
    expect(JSON.stringify(readRuntimeConfig(JSON.parse(text)).config)).toBe(text);
  }
});
