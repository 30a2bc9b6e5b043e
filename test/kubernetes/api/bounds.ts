import type { Kind } from '../../../src/kubernetes/api/kinds.ts';
import { customResourceDefinitions } from '../../../src/kubernetes/crd/custom-resource-definition.ts';
import type { StructuralSchema } from '../../../src/kubernetes/crd/structural.ts';
import { FULL } from './full.ts';
import { PATTERNS } from './samples.ts';
import { fieldOf } from './verdict.ts';

/** A spec that differs from a valid one in one field. */
export interface BoundCase {
  readonly name: string;
  readonly kind: Kind;
  readonly spec: unknown;
  /** The field, as the API server names it. */
  readonly field: string;
  /** Whether the value of the field by itself is taken. A rule may still refuse it together with others. */
  readonly taken: boolean;
  /** The same for the same change of a field of the same schema elsewhere. */
  readonly change: string;
}

interface Change {
  readonly what: string;
  readonly value: unknown;
  readonly taken: boolean;
  /** Where the fault is told, below the field itself. */
  readonly below?: string | undefined;
}

const taken = (what: string, value: unknown): Change => ({ what, value, taken: true });
const refused = (what: string, value: unknown, below?: string): Change => {
  return { what, value, taken: false, below };
};

const DEFINITIONS = customResourceDefinitions();

/** The schema of the spec of a kind, as its CRD says it. */
export function schemaOf(kind: Kind): StructuralSchema {
  const crd = DEFINITIONS.find(({ spec }) => spec.names.kind === kind);
  const schema = crd?.spec.versions[0]?.schema.openAPIV3Schema.properties?.spec;
  if (schema === undefined) throw new Error(`There is no CRD of ${kind}`);
  return schema;
}

/**
 * For each field of each full spec, what is just inside each of its bounds, and just outside. So that a bound that is
 * new has its cases at once.
 */
export function boundCases(): readonly BoundCase[] {
  const cases = new Map<string, BoundCase>();
  const patterns = new Set<unknown>();
  for (const { kind, spec } of FULL) {
    for (const { path, schema, value } of nodes(schemaOf(kind), spec)) {
      for (const change of changes(schema, value, patterns.has(schema.pattern))) {
        const field = fieldOf([...path, ...(change.below === undefined ? [] : [change.below])]);
        const name = `${kind} ${fieldOf(path)}: ${change.what}`;
        // The same field of a second full spec has nothing new to say.
        if (cases.has(name)) continue;
        cases.set(name, {
          name,
          kind,
          spec: withValue(spec, path, change.value),
          field,
          taken: change.taken,
          change: `${change.what} of ${JSON.stringify(schema)}`,
        });
      }
      patterns.add(schema.pattern);
    }
  }
  return [...cases.values()];
}

interface SpecNode {
  readonly path: readonly (string | number)[];
  readonly schema: StructuralSchema;
  readonly value: unknown;
}

/** Each field of the spec with its schema. */
export function nodes(schema: StructuralSchema, value: unknown, path: SpecNode['path'] = []): SpecNode[] {
  const below = Object.entries(value as object).flatMap(([name, member]) => {
    const step = Array.isArray(value) ? Number(name) : name;
    const inner = schema.items ?? schema.properties?.[name] ?? schema.additionalProperties;
    if (inner === undefined) throw new Error(`The schema has no ${fieldOf([...path, step])}`);
    return typeof member === 'object'
      ? nodes(inner, member, [...path, step])
      : [leaf(inner, member, [...path, step])];
  });
  return [{ path, schema, value }, ...below];
}

const leaf = (schema: StructuralSchema, value: unknown, path: SpecNode['path']): SpecNode => ({
  path,
  schema,
  value,
});

/** @param known - the pattern has had all its texts elsewhere: a few will do */
function changes(schema: StructuralSchema, value: unknown, known: boolean): readonly Change[] {
  switch (schema.type) {
    case 'string':
      return [refused('a number', 5), ...textChanges(schema, known)];
    case 'integer':
      return [refused('a text', 'five'), refused('a fraction', 1.5), ...rangeChanges(schema)];
    case 'boolean':
      return [refused('a text', 'true'), taken('true', true), taken('false', false)];
    case 'array':
      return [refused('a text', 'one'), ...listChanges(schema, value as readonly unknown[])];
    default:
      return [refused('a text', 'one'), ...memberChanges(schema, value as Readonly<Record<string, unknown>>)];
  }
}

function textChanges(schema: StructuralSchema, known: boolean): readonly Change[] {
  if (schema.enum !== undefined) {
    const names = schema.enum as readonly string[];
    return [refused('another word', 'Other'), ...names.map((name) => taken(name, name))];
  }
  const { good, bad, long } = samplesOf(schema.pattern as string | undefined);
  const most = schema.maxLength as number;
  return [
    taken('longest', long(most)),
    refused('too long', long(most + 1)),
    schema.minLength === undefined && schema.pattern === undefined
      ? taken('empty', '')
      : refused('empty', ''),
    ...good.slice(0, known ? 1 : undefined).map((text) => taken(JSON.stringify(text), text)),
    ...bad.slice(0, known ? 1 : undefined).map((text) => refused(JSON.stringify(text), text)),
  ];
}

function samplesOf(pattern: string | undefined): (typeof PATTERNS)[string] {
  if (pattern === undefined) return { good: ['a\nb'], bad: [], long: (length) => 'a'.repeat(length) };
  const samples = PATTERNS[pattern];
  if (samples === undefined) throw new Error(`Give samples.ts texts for the pattern ${pattern}`);
  return samples;
}

function rangeChanges({ minimum, maximum }: StructuralSchema): readonly Change[] {
  return [
    ...(minimum === undefined ? [] : [taken('least', minimum), refused('too small', Number(minimum) - 1)]),
    ...(maximum === undefined ? [] : [taken('most', maximum), refused('too large', Number(maximum) + 1)]),
  ];
}

function listChanges(
  { minItems, maxItems }: StructuralSchema,
  [first]: readonly unknown[],
): readonly Change[] {
  const some = (count: number): readonly unknown[] => Array.from({ length: count }, () => first);
  return [
    taken('longest', some(Number(maxItems))),
    refused('too long', some(Number(maxItems) + 1)),
    minItems === undefined ? taken('empty', []) : refused('empty', some(Number(minItems) - 1)),
  ];
}

function memberChanges(
  schema: StructuralSchema,
  value: Readonly<Record<string, unknown>>,
): readonly Change[] {
  const { properties = {}, required = [], maxProperties } = schema;
  if (schema.additionalProperties !== undefined) {
    const some = (count: number): object =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`key-${index}`, 'a']));
    return [
      taken('most entries', some(Number(maxProperties))),
      refused('too many entries', some(Number(maxProperties) + 1)),
      taken('empty', {}),
    ];
  }
  const optional = Object.keys(properties).filter((name) => !required.includes(name) && name in value);
  return [
    refused('an unknown field', { ...value, unknown: 'a' }, 'unknown'),
    ...required.map((name) => refused(`without ${name}`, without(value, name), name)),
    ...optional.map((name) => taken(`without ${name}`, without(value, name))),
  ];
}

function without(value: Readonly<Record<string, unknown>>, name: string): object {
  return Object.fromEntries(Object.entries(value).filter(([member]) => member !== name));
}

/** The spec with another value at the path. */
export function withValue(spec: unknown, [step, ...rest]: SpecNode['path'], value: unknown): unknown {
  if (step === undefined) return value;
  if (Array.isArray(spec)) return spec.map((one, at) => (at === step ? withValue(one, rest, value) : one));
  const members = spec as Readonly<Record<string, unknown>>;
  return { ...members, [step]: withValue(members[step], rest, value) };
}
