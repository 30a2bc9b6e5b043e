import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { KINDS, type Kind } from '../../../src/kubernetes/api/kinds.ts';
import { importKagent } from '../../../src/kubernetes/kagent/import.ts';
import { agentWith, type Json, kagent, remoteServer, serverTool, service } from './objects.ts';

// On a machine that does much else, thousands of imports take their time.
vi.setConfig({ testTimeout: 60_000 });

/** What a reader may not be ready for, as JSON: own members named as those of every object, texts that cannot be made. */
const ODD: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    0.5,
    Number.POSITIVE_INFINITY,
    '',
    ' ',
    '\u0000',
    '__proto__',
    'constructor',
    [],
    {},
    [null],
  ],
  ...[{ toString: 0, valueOf: 0 }, [{ toString: null }], JSON.parse('{"__proto__":{"polluted":true}}')],
];
const odd = fc.oneof(fc.constantFrom(...ODD), fc.jsonValue({ maxDepth: 3 }));

/** Objects that are taken, with all there is in them. */
const WHOLE: readonly Json[] = [
  remoteServer(
    'search',
    { timeout: '1.5s', headersFrom: [{ name: 'X', value: 'y' }], tls: { disableVerify: true } },
    { 'onbehalf.dev/sts-audience': 'a', 'onbehalf.dev/dangerously-allow-insecure-http': 'true' },
  ),
  remoteServer('mail', {}, { 'onbehalf.dev/token-exchange': '{"scopes":["a"]}' }),
  kagent('MCPServer', 'files', { deployment: { port: 1 }, httpTransport: { path: '/mcp' }, timeout: '2s' }),
  service('wiki', { ports: [{ port: 80 }] }, { 'kagent.dev/mcp-service-path': '/mcp' }),
  kagent('ModelConfig', 'model', { model: 'm', openAI: { baseUrl: 'https://a.example', maxTokens: 1 } }),
  kagent('ModelConfig', 'azure', {
    provider: 'AzureOpenAI',
    model: 'm',
    azureOpenAI: { azureEndpoint: 'https://a.example', apiVersion: '1', azureDeployment: 'd' },
  }),
  agentWith([serverTool('search', { toolNames: ['a'] }), { type: 'Agent', agent: { name: 'b' } }], {
    'onbehalf.dev/tool-targets': '{"search":"a","b":{"tokenExchange":{"audiences":["b"]}}}',
  }),
  kagent('Agent', 'own', {
    type: 'BYO',
    byo: { deployment: { image: 'i', env: [{ name: 'A', value: 'b' }], resources: { limits: { cpu: 1 } } } },
  }),
];

/** All paths of a value. */
function pathsOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, inner]) => pathsOf(inner, [...path, name]))];
}

/** The value with something else at a path. */
function putAt(value: unknown, path: readonly string[], instead: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return instead;
  if (Array.isArray(value))
    return value.map((item, index) => (String(index) === step ? putAt(item, rest, instead) : item));
  const entries = Object.entries(value as Json).filter(([name]) => name !== step);
  return Object.fromEntries([...entries, [step, putAt((value as Json)[step], rest, instead)]]);
}

/** An object of kagent with one thing in it that is wrong, or at least strange, or in a strange place. */
const damaged = fc
  .constantFrom(...WHOLE)
  .chain((object) =>
    fc
      .tuple(fc.constantFrom(...pathsOf(object)), odd, fc.constantFrom('', '__proto__', 'toString', 'extra'))
      .map(([path, instead, extra]) =>
        putAt(object, extra === '' ? path : [...path.slice(0, -1), extra], instead),
      ),
  );
const anything = fc.array(fc.oneof(damaged, fc.constantFrom(...WHOLE), odd), { maxLength: 6 });
const copies = (value: unknown): unknown => JSON.parse(JSON.stringify(value) ?? 'null');

it('never throws, changes nothing that it is given, and says something of each object that it leaves out', () => {
  fc.assert(
    fc.property(anything, (objects) => {
      const before = copies(objects);
      const { objects: made, problems, warnings } = importKagent(objects);
      expect(copies(objects)).toEqual(before);
      const left = objects.length - made.length;
      expect(new Set(problems.map(({ object }) => JSON.stringify(object))).size).toBeLessThanOrEqual(
        Math.max(left, 0),
      );
      if (left > 0) expect(problems.length).toBeGreaterThan(0);
      for (const { field, message } of [...problems, ...warnings]) {
        expect(field).not.toBe('');
        expect(message).not.toBe('');
      }
    }),
    { numRuns: 500 },
  );
  expect(Object.prototype).not.toHaveProperty('polluted');
});

it('makes only objects that keep their schema, and leaves those as they are', () => {
  fc.assert(
    fc.property(anything, (objects) => {
      const { objects: made } = importKagent(objects);
      const fresh = made.filter((object) => !objects.includes(object)) as Json[];
      for (const { apiVersion, kind, spec } of fresh) {
        expect(apiVersion).toBe('onbehalf.dev/v1alpha1');
        expect(KINDS[kind as Kind].spec.safeParse(spec).success).toBe(true);
      }
      expect(importKagent(fresh)).toEqual({ objects: fresh, problems: [], warnings: [] });
    }),
    { numRuns: 500 },
  );
});

it('comes to the same whatever the order of the objects', () => {
  const shuffled = fc
    .array(damaged, { maxLength: 6 })
    .chain((objects) =>
      fc.tuple(fc.constant(objects), fc.shuffledSubarray(objects, { minLength: objects.length })),
    );
  const sorted = (values: readonly unknown[]): readonly string[] =>
    values.map((value) => JSON.stringify(value)).toSorted();
  fc.assert(
    fc.property(shuffled, ([objects, others]) => {
      const one = importKagent(objects);
      const other = importKagent(others);
      expect(sorted(other.objects)).toEqual(sorted(one.objects));
      expect(sorted(other.warnings)).toEqual(sorted(one.warnings));
      expect(other.problems.length).toBe(one.problems.length);
    }),
    { numRuns: 500 },
  );
});

it('does not go deeper than the fields of kagent do', () => {
  const deep: unknown = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`);
  for (const object of WHOLE) {
    for (const path of pathsOf(object))
      expect(importKagent([putAt(object, path, deep)]).objects.length).toBeLessThan(2);
    const annotations = { 'onbehalf.dev/token-exchange': '['.repeat(50_000) };
    importKagent([putAt(object, ['metadata', 'annotations'], annotations)]);
  }
  const memory = { modelConfig: deep };
  expect(importKagent([kagent('Agent', 'a', { declarative: { memory } })]).warnings).toHaveLength(1);
});
