import type * as z from 'zod';

/**
 * A rule that spans several fields, said twice: in CEL for the API server, which refuses an object that breaks it, and
 * in TypeScript for those who have no API server. A test on a real one holds the two together.
 */
export interface Rule<T> {
  /** The rule in CEL; `self` is the object it stands at. */
  readonly cel: string;
  /** What to do, told to whoever breaks it. */
  readonly message: string;
  /** The same rule: whether the value keeps it. */
  readonly holds: (value: T) => boolean;
}

/** The same schema, which refuses what breaks a rule; the rules go into the CRD as `x-kubernetes-validations`. */
export function withRules<S extends z.ZodType>(schema: S, rules: readonly Rule<z.output<S>>[]): S {
  const refined = rules.reduce<S>(
    (sum, { message, holds }) => sum.refine(holds as (value: unknown) => boolean, { message }) as S,
    schema,
  );
  return refined.meta({
    ...schema.meta(),
    'x-kubernetes-validations': rules.map(({ cel, message }) => ({ rule: cel, message })),
  }) as S;
}

/** Of these members, those that are given. */
export function given(value: object, names: readonly string[]): readonly string[] {
  return names.filter((name) => (value as Readonly<Record<string, unknown>>)[name] !== undefined);
}

/** A rule: exactly one of these fields is given. */
export function exactlyOneOf(...names: readonly string[]): Rule<object> {
  const count = names.map((name) => `(has(self.${name}) ? 1 : 0)`).join(' + ');
  return {
    cel: `${count} == 1`,
    message: `exactly one of ${names.join(' and ')} must be given`,
    holds: (value) => given(value, names).length === 1,
  };
}

/** A rule: at most one of these fields is given. */
export function atMostOneOf(...names: readonly string[]): Rule<object> {
  const count = names.map((name) => `(has(self.${name}) ? 1 : 0)`).join(' + ');
  return {
    cel: `${count} <= 1`,
    message: `give one of ${names.join(' and ')}, not both`,
    holds: (value) => given(value, names).length <= 1,
  };
}

/** A rule: both of these fields are given, or neither. */
export function together(one: string, other: string): Rule<object> {
  return {
    cel: `has(self.${one}) == has(self.${other})`,
    message: `${one} and ${other} must be given together`,
    holds: (value) => given(value, [one, other]).length !== 1,
  };
}
