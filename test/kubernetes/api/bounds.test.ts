import { expect, test } from 'vitest';
import { KINDS, type Kind } from '../../../src/kubernetes/api/kinds.ts';
import type { StructuralSchema } from '../../../src/kubernetes/crd/structural.ts';
import { boundCases, nodes, schemaOf } from './bounds.ts';
import { FULL } from './full.ts';
import { PATTERNS } from './samples.ts';
import { verdictOf } from './verdict.ts';

const CASES = boundCases();

test.each(Object.keys(KINDS) as Kind[])('each bound of a field of %s holds on both sides', (kind) => {
  const wrong = CASES.filter((one) => one.kind === kind).filter(({ spec, field, taken }) => {
    const told = verdictOf(kind, spec).findings.some((finding) => finding.field === field && !finding.byRule);
    return told === taken;
  });
  expect(wrong.map(({ name, taken }) => `${name} should be ${taken ? 'taken' : 'refused'}`)).toEqual([]);
});

test.each(Object.keys(KINDS) as Kind[])('the full specs of %s have each of its fields', (kind) => {
  const schema = schemaOf(kind);
  const specs = FULL.filter((one) => one.kind === kind).map(({ spec }) => spec);
  const seen = new Set(specs.flatMap((spec) => nodes(schema, spec).map(({ path }) => nameOf(path))));
  expect(fieldsOf(schema, '').filter((field) => !seen.has(field))).toEqual([]);
});

test('each pattern that has samples is the pattern of a field', () => {
  const patterns = new Set((Object.keys(KINDS) as Kind[]).flatMap((kind) => patternsOf(schemaOf(kind))));
  expect(Object.keys(PATTERNS).filter((pattern) => !patterns.has(pattern))).toEqual([]);
});

const nameOf = (path: readonly (string | number)[]): string =>
  path.map((step) => (typeof step === 'number' ? '[]' : `.${step}`)).join('');

/** Each field, and each item of a list; the entries of maps have names of their own. */
function fieldsOf(schema: StructuralSchema, at: string): readonly string[] {
  const members = Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    return fieldsOf(inner, `${at}.${name}`);
  });
  return [at, ...members, ...(schema.items === undefined ? [] : fieldsOf(schema.items, `${at}[]`))];
}

function patternsOf(schema: StructuralSchema): readonly unknown[] {
  const { properties = {}, items, additionalProperties } = schema;
  const below = [...Object.values(properties), items, additionalProperties];
  return [schema.pattern, ...below.flatMap((inner) => (inner === undefined ? [] : patternsOf(inner)))];
}
