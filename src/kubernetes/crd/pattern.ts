import type * as z from 'zod';

/**
 * What RE2, the engine of the API server, has not or reads otherwise: look-around and references back, `\s` and `\S`
 * (ASCII there, Unicode here), code points and control letters as JavaScript writes them.
 */
const FOREIGN = /\(\?(?!:)|\\[1-9]|\\[sS]|\\k<|\\u|\\c[A-Za-z]/;

/**
 * The first pattern of a schema that means something else to the API server, which knows RE2 and no flags; `undefined`
 * if all mean the same.
 */
export function foreignPattern({ _zod: { def } }: z.core.$ZodType): RegExp | undefined {
  const patterns = (def.checks ?? []).map((check) => (check._zod.def as { pattern?: RegExp }).pattern);
  return patterns
    .filter((pattern) => pattern !== undefined)
    .find(({ source, flags }) => flags.replace('u', '') !== '' || FOREIGN.test(source));
}
