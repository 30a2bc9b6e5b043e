import { OnbehalfError } from '../../src/core/errors.ts';

/** The error that a promise or a function fails with; it must be one of this package. */
export async function failureOf(work: Promise<unknown> | (() => unknown)): Promise<OnbehalfError> {
  const error = await thrownBy(work);
  if (error instanceof OnbehalfError) return error;
  throw new Error('it failed with an error that has no code', { cause: error });
}

/** Whatever a promise or a function fails with. */
export async function thrownBy(work: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}
