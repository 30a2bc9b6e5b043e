import fc from 'fast-check';
import type { Kind } from '../../../src/kubernetes/api/kinds.ts';
import type { StructuralSchema } from '../../../src/kubernetes/crd/structural.ts';
import { nodes, schemaOf, withValue } from './bounds.ts';
import { FIXTURES } from './fixtures.ts';
import { PATTERNS } from './samples.ts';

/** Specs of a kind whose every field is as its schema says: valid ones, with one or two fields changed, and any. */
export function specsOf(kind: Kind): fc.Arbitrary<unknown> {
  const valid = FIXTURES.filter((one) => one.kind === kind && one.refused === undefined);
  const one = varied(kind, fc.constantFrom(...valid.map(({ spec }) => spec)));
  return fc.oneof(
    { weight: 4, arbitrary: one },
    { weight: 4, arbitrary: varied(kind, one) },
    valueFor(schemaOf(kind)),
  );
}

function varied(kind: Kind, specs: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return specs.chain((spec) => {
    const [, ...fields] = nodes(schemaOf(kind), spec);
    if (fields.length === 0) return fc.constant(spec);
    return fc
      .constantFrom(...fields)
      .chain(({ schema, path }) => valueFor(schema).map((value) => withValue(spec, path, value)));
  });
}

const known = new WeakMap<StructuralSchema, fc.Arbitrary<unknown>>();

/** Whether the rules hold is left to chance. */
function valueFor(schema: StructuralSchema): fc.Arbitrary<unknown> {
  const made = known.get(schema) ?? arbitraryFor(schema);
  known.set(schema, made);
  return made;
}

function arbitraryFor(schema: StructuralSchema): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'string':
      return textOf(schema);
    case 'integer':
      return fc.integer({ min: Number(schema.minimum), max: Number(schema.maximum) });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(valueFor(schema.items as StructuralSchema), {
        minLength: Number(schema.minItems ?? 0),
        maxLength: Math.min(Number(schema.maxItems), 3),
      });
    default:
      return objectOf(schema);
  }
}

function textOf(schema: StructuralSchema): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...(schema.enum as readonly string[]));
  if (schema.pattern === undefined)
    return fc.string({ unit: 'binary', minLength: Number(schema.minLength ?? 0), maxLength: 20 });
  return fc.constantFrom(...(PATTERNS[schema.pattern as string]?.good ?? []));
}

function objectOf({
  properties = {},
  required = [],
  additionalProperties,
}: StructuralSchema): fc.Arbitrary<unknown> {
  if (additionalProperties !== undefined) {
    const name = fc.stringMatching(/^[a-z./-]{1,10}$/);
    return fc.dictionary(name, valueFor(additionalProperties), { maxKeys: 3, noNullPrototype: true });
  }
  const members = Object.entries(properties).map(([name, inner]) => {
    const value = valueFor(inner);
    return [name, required.includes(name) ? value : fc.option(value, { freq: 2, nil: undefined })] as const;
  });
  return fc.record(Object.fromEntries(members)).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
}
