import * as z from 'zod';

/**
 * The same schema, where `null` is as good as nothing: kagent's files write null, and an empty URL, for what was not
 * given.
 */
export function orNone<T>(schema: z.ZodType<T>): z.ZodType<T | undefined> {
  return schema.nullish().transform((value) => (value === null ? undefined : value));
}

/** A text that is not given where it is empty. */
export const textOrNone: z.ZodType<string | undefined> = z
  .string()
  .max(2048)
  .nullish()
  .transform((value) => value || undefined);
