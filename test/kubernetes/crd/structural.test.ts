import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { withRules } from '../../../src/kubernetes/api/rules.ts';
import { structuralSchema } from '../../../src/kubernetes/crd/structural.ts';

const text = z.string().max(9).describe('A text.');
const structural = (members: Record<string, z.ZodType>) =>
  structuralSchema(z.strictObject(members), 'Thing.spec');

test('an object has its members, and which of them must be given', () => {
  expect(structural({ one: text, other: text.optional() })).toEqual({
    type: 'object',
    required: ['one'],
    properties: {
      one: { type: 'string', description: 'A text.', maxLength: 9 },
      other: { type: 'string', description: 'A text.', maxLength: 9 },
    },
  });
});

test('a member with a default may be left out, and its description tells the default', () => {
  const { required, properties } = structural({
    count: z.int().min(0).default(3).describe('How many.'),
    told: z.boolean().default(false).describe('Whether. Default: false, as you would think.'),
  });
  expect(required).toBeUndefined();
  expect(properties).toEqual({
    count: { type: 'integer', minimum: 0, default: 3, description: 'How many. Default: 3.' },
    told: { type: 'boolean', default: false, description: 'Whether. Default: false, as you would think.' },
  });
});

test('rules and what Kubernetes wants to know of lists are kept', () => {
  const rule = { cel: 'has(self.one)', message: 'one is missing', holds: () => true };
  const list = z
    .array(withRules(z.object({ one: text.optional() }), [rule]))
    .max(2)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional()
    .describe('A list.');
  expect(structural({ list }).properties?.list).toEqual({
    type: 'array',
    description: 'A list.',
    maxItems: 2,
    'x-kubernetes-list-type': 'atomic',
    items: {
      type: 'object',
      properties: { one: { type: 'string', description: 'A text.', maxLength: 9 } },
      'x-kubernetes-validations': [{ rule: 'has(self.one)', message: 'one is missing' }],
    },
  });
});

test('a time is a text of a format', () => {
  const time = z.iso.datetime({ offset: true }).describe('When.');
  expect(structural({ time }).properties?.time).toEqual({
    type: 'string',
    format: 'date-time',
    description: 'When.',
  });
});

test('a field may be called as a keyword of the schema', () => {
  const { properties } = structural({ properties: text, items: text, type: text });
  expect(Object.keys(properties ?? {})).toEqual(['properties', 'items', 'type']);
});

describe('refused, with the path:', () => {
  const described = (schema: z.ZodType) => schema.describe('Told.');
  test.each<[string, z.ZodType, string]>([
    ['a field that nobody described', z.boolean(), 'Thing.spec.in.one has no description'],
    ['a text of any length', described(z.string()), 'Thing.spec.in.one is of type string, of any size'],
    ['a list of any length', described(z.array(text)), 'Thing.spec.in.one is of type array, of any size'],
    [
      'texts of any length in a list',
      described(z.array(z.string()).max(2)),
      'Thing.spec.in.one[] is of type string, of',
    ],
    [
      'a map of any size',
      described(z.record(z.string(), text)),
      'Thing.spec.in.one is of type object, of any size',
    ],
    [
      'texts of any length in a map',
      described(z.record(z.string(), z.string())).meta({ maxProperties: 2 }),
      'Thing.spec.in.one.* is of type string, of any size',
    ],
    [
      'a map with keys of a form',
      described(z.record(z.string().regex(/^a/), text)).meta({ maxProperties: 2 }),
      'Thing.spec.in.one has keys of a certain form',
    ],
    ['a choice of schemas', described(z.union([text, z.boolean()])), 'Thing.spec.in.one has no type'],
    ['null', described(text.nullable()), 'Thing.spec.in.one has no type'],
    [
      'a constant',
      described(z.literal('a').meta({ maxLength: 1 })),
      'Thing.spec.in.one has the keyword "const"',
    ],
    ['null only', described(z.null()), 'Thing.spec.in.one has no type'],
    ['anything', described(z.any()), 'Thing.spec.in.one has no type'],
    ['a list of anything', described(z.array(z.any()).max(2)), 'Thing.spec.in.one[] has no type'],
    [
      'a tuple',
      described(z.tuple([text]).meta({ maxItems: 1 })),
      'Thing.spec.in.one has the keyword "additionalItems"',
    ],
    ['two patterns', described(text.regex(/a/).regex(/b/)), 'Thing.spec.in.one has the keyword "allOf"'],
    ['open bounds', described(z.int().gt(3)), 'Thing.spec.in.one has the keyword "exclusiveMinimum"'],
    ['multiples', described(z.int().multipleOf(3)), 'Thing.spec.in.one has the keyword "multipleOf"'],
  ])('%s', (_, one, message) => {
    const make = () => structural({ in: z.strictObject({ one }).describe('Told.') });
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });

  test('what Zod itself cannot say', () => {
    expect(() => structural({ one: z.date().describe('When.') })).toThrow('Date cannot be represented');
  });
});

describe('a pattern', () => {
  const patterned = (pattern: RegExp) =>
    structural({ in: z.strictObject({ one: text.regex(pattern) }).describe('In.') });

  test.each([/^[a-z]+$/, /^(?:a|b)\/[^\p{Cc}]$/u, /^\d{1,3}[.]\w$/, /^[[]a[\]]$/])(
    '%s is kept',
    (pattern) => {
      const { properties } = patterned(pattern);
      expect(properties?.in?.properties?.one?.pattern).toBe(pattern.source);
    },
  );

  test.each([
    ...[/^a/i, /^a$/m, /^.$/s, /^(?=a)/, /^(?!a)/, /(?<=a)b/, /(?<!a)b/, /(?<name>a)/],
    ...[/^(a)\1$/, /^\s$/, /^[^\S]$/, /^\u0041$/, /^\u{41}$/u, /^\cA$/],
  ])('%s means something else to the API server: refused', (pattern) => {
    expect(() => patterned(pattern)).toThrow('has the pattern');
    expect(() => patterned(pattern)).toThrow(`${pattern}`);
  });
});
