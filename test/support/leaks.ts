import { inspect } from 'node:util';
import { expect } from 'vitest';

const OPTIONS = { depth: Number.POSITIVE_INFINITY, maxStringLength: null, maxArrayLength: null } as const;

/** Every way in which a value is usually printed, serialised or copied, as text. */
export function renderings(value: unknown): readonly string[] {
  const texts = [
    inspect(value, OPTIONS),
    inspect(value, { ...OPTIONS, showHidden: true, getters: true }),
    String(value),
    serialised(value),
  ];
  if (typeof value === 'object' && value !== null) texts.push(inspect({ ...value }, OPTIONS));
  if (value instanceof Error) {
    texts.push(
      value.message,
      value.stack ?? '',
      ...(value.cause === undefined ? [] : renderings(value.cause)),
    );
  }
  return texts;
}

/** Asserts that no secret shows in any rendering of the value, nor any part of it between dots. */
export function expectNoLeak(value: unknown, secrets: readonly string[]): void {
  for (const text of renderings(value)) {
    for (const secret of secrets) {
      for (const part of [secret, ...secret.split('.').filter((each) => each.length >= 8)]) {
        // Not `not.toContain`: its own message would print the text and the secret.
        expect(text.includes(part), `the secret ${part.slice(0, 4)}... shows in: ${text}`).toBe(false);
      }
    }
  }
}

function serialised(value: unknown): string {
  const seen = new WeakSet<object>();
  return (
    JSON.stringify(value, (_key, each: unknown) => {
      if (typeof each !== 'object' || each === null) return each;
      if (seen.has(each)) return '[circular]';
      seen.add(each);
      return each;
    }) ?? ''
  );
}
