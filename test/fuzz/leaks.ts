import { isOnbehalfError, type OnbehalfError } from '../../src/core/errors.ts';
import { renderings } from '../support/leaks.ts';
import { CLIENT_ID, CLIENT_SECRET } from './world.ts';

/** The client's secret as it reads in a header field, in a form and in a URL. */
export const CLIENT_SECRETS: readonly string[] = [
  CLIENT_SECRET,
  encodeURIComponent(CLIENT_SECRET),
  new URLSearchParams([['', CLIENT_SECRET]]).toString().slice(1),
  Buffer.from(`${CLIENT_ID}:${new URLSearchParams([['', CLIENT_SECRET]]).toString().slice(1)}`).toString(
    'base64',
  ),
];

/** What is shorter, an error may well hold by chance. */
const SHORTEST = 12;

/** @throws Error when a secret, or a part of it between dots, shows in any way in which the value is printed */
export function assertNoLeak(value: unknown, secrets: readonly (string | undefined)[]): void {
  const parts = secrets.flatMap((secret) => (secret === undefined ? [] : [secret, ...secret.split('.')]));
  const wanted = parts.filter((part) => part.length >= SHORTEST);
  for (const text of renderings(value)) {
    const shown = wanted.find((part) => text.includes(part));
    if (shown !== undefined) throw new Error(`the secret ${shown.slice(0, 20)}... shows in: ${text}`);
  }
}

/**
 * What a call came to: its value, or our error, which shows no secret. A function that throws at once is one that fails.
 *
 * @throws Error for any other error
 */
export async function settled<T>(
  work: () => T | Promise<T>,
  secrets: readonly (string | undefined)[],
): Promise<{ readonly value: T } | { readonly error: OnbehalfError }> {
  try {
    return { value: await work() };
  } catch (error) {
    assertOurs(error, secrets);
    return { error };
  }
}

/** @throws Error unless it is our error, of one of these codes, and shows no secret */
export function assertOurs(
  error: unknown,
  secrets: readonly (string | undefined)[],
): asserts error is OnbehalfError {
  if (!isOnbehalfError(error)) {
    throw new Error(`an error of another kind: ${error instanceof Error ? error.stack : String(error)}`);
  }
  assertNoLeak(error, secrets);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they could change how a log is read
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(error.message)) {
    throw new Error(`its message holds a control character: ${JSON.stringify(error.message)}`);
  }
  if (error.message.length > 1_000) throw new Error(`its message has ${error.message.length} characters`);
  const { retryAfterMs } = error;
  if (retryAfterMs !== undefined && !(retryAfterMs >= 0 && Number.isFinite(retryAfterMs))) {
    throw new Error(`retryAfterMs is ${retryAfterMs}`);
  }
}
