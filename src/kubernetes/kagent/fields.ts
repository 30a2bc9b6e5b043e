import type { Spot } from './spot.ts';

/** By the name of a field of kagent, what becomes of it. A field that is not in the table is refused. */
export type Fields = Readonly<Record<string, Fate>>;

/** What becomes of a field. */
export type Fate = Mapped | Within | Warned | Refused | Left;

/** It has a field here. */
interface Mapped {
  readonly fate: 'mapped';
  /** Name of the field here. Default: the same. */
  readonly to?: string | undefined;
  /** `undefined`: as if the field had not been given. */
  readonly convert?: ((value: unknown, spot: Spot) => unknown) | undefined;
}

/** It holds fields of its own. */
interface Within {
  readonly fate: 'within';
  readonly fields: Fields;
  /** `list`: of such objects. `parent`: its fields are fields of the object that holds it, here. */
  readonly as: 'object' | 'list' | 'parent';
}

/** There is nothing for it here, and without it the agent does less, not more. */
interface Warned {
  readonly fate: 'warned';
  readonly why: string;
  /** Values that ask for nothing. Default: what is empty, and `false`. */
  readonly unless?: ((value: unknown) => boolean) | undefined;
}

/** There is nothing for it here, and without it the agent could do more than its author allowed. */
interface Refused {
  readonly fate: 'refused';
  readonly why: string;
  readonly unless?: ((value: unknown) => boolean) | undefined;
}

/** It is not about the agent, or read in another place. */
interface Left {
  readonly fate: 'left';
}

/** The field is taken as it is, or under another name. Whether its value is right, the schema says. */
export function mapped(to?: string, convert?: Mapped['convert']): Fate {
  return { fate: 'mapped', to, convert };
}

/** As {@link mapped}, for a text or number that Go leaves empty when it was not given. */
export function mappedUnlessEmpty(to?: string): Fate {
  return mapped(to, (value) => (value === '' || value === 0 ? undefined : value));
}

/** The field holds fields of its own. */
export function within(fields: Fields, as: Within['as'] = 'object'): Fate {
  return { fate: 'within', fields, as };
}

/** The field has no effect, which is told. */
export function warned(why: string, unless?: Warned['unless']): Fate {
  return { fate: 'warned', why, unless };
}

/** The object cannot be taken with that field. */
export function refused(why: string, unless?: Refused['unless']): Fate {
  return { fate: 'refused', why, unless };
}

/** The field is not looked at here. */
export const left: Fate = { fate: 'left' };
