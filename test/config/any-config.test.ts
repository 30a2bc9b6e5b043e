import fc from 'fast-check';
import { expect, test } from 'vitest';
import { whatIsLeftOut, whatIsRefused } from '../../src/agent/unsupported.ts';
import { type ConfigProblem, readRuntimeConfig } from '../../src/config/read-config.ts';
import { readText } from '../support/regions.ts';
import { KAGENT } from './fixtures.ts';

type Json = unknown;
/** A step into JSON. */
type Step = string | number;

const SECRET = 'not-for-errors';
const KNOWN: readonly Json[] = [
  { ...KAGENT, name: 'team/assistant', authentication: { mode: 'anonymous' } },
  JSON.parse(readText('examples/agent/config.json')),
];

/** Text that a reader may not be ready for, with a secret in each. */
const text = fc.oneof(
  fc.string({ maxLength: 12 }).map((some) => `${some}${SECRET}`),
  fc.constantFrom(
    `https://user:${SECRET}@example.com`,
    `file:/${SECRET}`,
    `\${${SECRET}}`,
    `https://${SECRET}/#`,
    `${'$'.repeat(50)}{${SECRET}`,
  ),
);
const anyJson = fc
  .letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom<Json>(null, true, false, 0, -1, 1e308, 0.5, '', [], {}),
      text,
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(nameOfField(), tie('value'), { maxKeys: 4 }),
    ),
  }))
  .value.map((value) => JSON.parse(JSON.stringify(value)) as Json);

/** Names that configs have, and some that objects have. */
function nameOfField(): fc.Arbitrary<string> {
  const known = ['model', 'type', 'http_tools', 'params', 'url', 'token_exchange', 'token_services', 'name'];
  return fc.oneof(
    fc.constantFrom(...known, 'constructor', 'toString', 'a b', ''),
    fc.string({ maxLength: 6 }),
  );
}

const stepsOf = (value: Json): readonly (readonly Step[])[] => {
  if (typeof value !== 'object' || value === null) return [];
  const keys: readonly Step[] = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return keys.flatMap((key) => [
    [key],
    ...stepsOf((value as Readonly<Record<Step, Json>>)[key]).map((rest) => [key, ...rest]),
  ]);
};
const at = (value: Json, steps: readonly Step[]): Json =>
  steps.reduce<Json>(
    (sum, step) => (Object.hasOwn(Object(sum), step) ? Object(sum)[step] : undefined),
    value,
  );

/** A config that is right but for some values in it, which are others, gone, or there under a wrong name. */
const mutated: fc.Arbitrary<Json> = fc.constantFrom(...KNOWN).chain((config) =>
  fc
    .array(
      fc.record({
        steps: fc.constantFrom(...stepsOf(config)),
        change: fc.oneof(
          anyJson.map((value) => ({ value })),
          fc.constant('drop' as const),
          fc.constant('rename' as const),
        ),
      }),
      { minLength: 1, maxLength: 3 },
    )
    .map((changes) => {
      const copy = structuredClone(config);
      for (const { steps, change } of changes) {
        const last = steps.at(-1) as Step;
        const parent = at(copy, steps.slice(0, -1)) as Record<Step, Json>;
        if (typeof parent !== 'object' || parent === null) continue;
        if (typeof change === 'object') parent[last] = change.value;
        else {
          if (change === 'rename') parent[`${last}x`] = parent[last];
          delete parent[last];
        }
      }
      return copy;
    }),
);

/** The steps of `a[0]["b c"].d`. */
function parsed(path: string): readonly Step[] {
  const steps: Step[] = [];
  const step = /(?:^|\.)([A-Za-z_][\w-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/gy;
  let end = 0;
  for (const match of path.matchAll(step)) {
    const [whole, name, index, quoted] = match;
    end = match.index + whole.length;
    steps.push(name ?? (quoted === undefined ? Number(index) : (JSON.parse(quoted) as string)));
  }
  if (end !== path.length) throw new Error(`this is no path: ${path}`);
  return steps;
}

/** Whether a problem is at a value of the input, or at a member of one that is missing. */
function isAtSomething(input: Json, { path }: ConfigProblem): boolean {
  const steps = parsed(path);
  const parent = at(input, steps.slice(0, -1));
  return steps.length === 0 || (typeof parent === 'object' && parent !== null);
}

function assertIsRead(input: Json): string {
  const { config, problems } = readRuntimeConfig(input);
  if (problems === undefined) {
    // What the agent server says of a config that can be read: it throws nothing either.
    expect([...whatIsRefused(config), ...whatIsLeftOut(config)]).toBeInstanceOf(Array);
    return 'read';
  }
  expect(problems.length).toBeGreaterThan(0);
  for (const problem of problems) {
    expect(problem.message).not.toBe('');
    // A name is no value: a field that nobody knows is told by it.
    if (!problem.message.startsWith('Unrecognized key')) expect(problem.message).not.toContain(SECRET);
    expect([problem.path, isAtSomething(input, problem)]).toEqual([problem.path, true]);
  }
  return 'refused';
}

test.each([
  ['any JSON', anyJson, 1_500, ['refused']],
  ['a config with mistakes', mutated, 1_500, ['read', 'refused']],
] as const)(
  '%s is read, or refused with paths and without values',
  (_, values, numRuns, outcomes) => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(values, (value) => {
        seen.add(assertIsRead(value));
      }),
      { numRuns },
    );
    // Of any JSON some may be right: `model` is all that is needed, and may be null.
    expect([...seen]).toEqual(expect.arrayContaining([...outcomes]));
  },
  60_000,
);

const LONG = 300_000;
const LONG_TEXTS = [
  `https://${'a'.repeat(LONG)}#`,
  `https://${'a'.repeat(LONG)} `,
  '$'.repeat(LONG),
  '${'.repeat(LONG),
  `${'$'.repeat(LONG)}{`,
  `https://${'a/'.repeat(LONG)}\n`,
];

test('long texts take no long time, wherever they are', () => {
  const [config] = KNOWN as readonly [Json];
  const texts = stepsOf(config).filter((steps) => typeof at(config, steps) === 'string');
  expect(texts.length).toBeGreaterThan(15);
  const begun = performance.now();
  for (const steps of texts) {
    for (const long of LONG_TEXTS) {
      const copy = structuredClone(config);
      (at(copy, steps.slice(0, -1)) as Record<Step, Json>)[steps.at(-1) as Step] = long;
      readRuntimeConfig(copy);
    }
  }
  // What takes the square of the length takes minutes.
  expect(performance.now() - begun).toBeLessThan(20_000);
}, 120_000);

test('deep and long JSON takes no long time, and throws nothing', () => {
  const deep = JSON.parse(`${'['.repeat(5_000)}${']'.repeat(5_000)}`) as Json;
  const many = Array.from({ length: 5_000 }, (_, index) => ({
    ...{ name: `s${index}`, params: { url: 'https://a.example.com' }, sts_audience: 'a' },
  }));
  expect(assertIsRead({ ...(KNOWN[0] as object), http_tools: deep })).toBe('refused');
  expect(assertIsRead({ ...(KNOWN[0] as object), context_config: deep })).toBe('read');
  expect(assertIsRead({ ...(KNOWN[1] as object), http_tools: many })).toBe('read');
}, 60_000);
