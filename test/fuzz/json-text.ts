import fc from 'fast-check';

/** Members of a JSON object in order, values as text: so they can be there twice, and numbers stay as they are written. */
export type Members = readonly (readonly [name: string, value: string])[];

/** A change of one member: put in its place, taken away, or put before or after it as well. */
export interface Change {
  readonly how: 'set' | 'drop' | 'before' | 'after';
  readonly name: string;
  readonly value: string;
}

export function membersOf(object: Readonly<Record<string, unknown>>): Members {
  return Object.entries(object).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, JSON.stringify(value)] as const],
  );
}

export function objectText(members: Members): string {
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

export function changed(members: Members, changes: readonly Change[]): Members {
  return changes.reduce(apply, members);
}

function apply(members: Members, { how, name, value }: Change): Members {
  const member = [name, value] as const;
  if (how === 'before') return [member, ...members];
  const others = members.filter(([each]) => each !== name);
  if (how === 'drop') return others;
  if (how === 'set' && others.length < members.length) {
    return members.map((each) => (each[0] === name ? member : each));
  }
  return [...members, member];
}

const nested = (open: string, close: string, depth: number): string =>
  open.repeat(depth) + close.repeat(depth);

/** JSON that a reader may not be ready for. */
const ODD = [
  ...['null', 'true', '0', '-0', '-1', '0.5', '1E2', '1e400', '-1e400', '9007199254740993', '""', '[]', '{}'],
  ...['[null]', '[[]]', '"\\ud800"', '"\\u0000"', '" "', '"__proto__"', '"constructor"', '"\\u202e"'],
  // What has no text of its own: String() throws.
  ...['{"toString":0,"valueOf":0}', '[{"toString":0}]', '[[{"toString":null}]]', '{"__proto__":null}'],
];
/** JSON that costs a reader much. */
const LARGE = [nested('[', ']', 20_000), nested('[', ']', 200), `"${'a'.repeat(70_000)}"`];

/** Any JSON value, as text. */
const anyJson: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: fc.constantFrom(...ODD), weight: 60 },
  {
    arbitrary: fc.jsonValue({ maxDepth: 2, depthSize: 'small' }).map((value) => JSON.stringify(value)),
    weight: 40,
  },
  { arbitrary: fc.constantFrom(...LARGE), weight: 1 },
);

/**
 * Changes of members, by name.
 *
 * @param near - for each name, values that are nearly right
 */
export function changesOf(
  near: Readonly<Record<string, readonly unknown[]>>,
  maxLength: number,
): fc.Arbitrary<readonly Change[]> {
  const how = fc.oneof(
    { arbitrary: fc.constant('set' as const), weight: 6 },
    fc.constantFrom('drop' as const, 'before' as const, 'after' as const),
  );
  const one = fc.constantFrom(...Object.entries(near)).chain(([name, values]) =>
    fc.record({
      how,
      name: fc.constant(name),
      value: fc.oneof(
        { arbitrary: fc.constantFrom(...values.map((value) => JSON.stringify(value))), weight: 5 },
        { arbitrary: anyJson, weight: 2 },
      ),
    }),
  );
  const stranger = fc.record({
    how: fc.constant('set' as const),
    name: fc.string({ maxLength: 8 }),
    value: anyJson,
  });
  return fc.array(fc.oneof({ arbitrary: one, weight: 9 }, stranger), { maxLength });
}
