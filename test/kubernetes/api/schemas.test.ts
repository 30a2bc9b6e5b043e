import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KINDS, type Kind } from '../../../src/kubernetes/api/kinds.ts';
import { specsOf } from './arbitrary.ts';

const KIND_NAMES = Object.keys(KINDS) as Kind[];

test.each(KIND_NAMES)('what the schema of %s takes, it takes again with its defaults, as JSON', (kind) => {
  const { spec: schema } = KINDS[kind];
  let taken = 0;
  fc.assert(
    fc.property(specsOf(kind), (spec) => {
      const { success, data } = schema.safeParse(spec);
      if (!success) return;
      taken += 1;
      const stored: unknown = JSON.parse(JSON.stringify(data));
      expect(stored).toEqual(data);
      expect(schema.parse(stored)).toEqual(data);
      // Defaults add, and change nothing.
      expect(data).toMatchObject(spec as object);
    }),
    { numRuns: 500 },
  );
  expect(taken).toBeGreaterThan(100);
});
