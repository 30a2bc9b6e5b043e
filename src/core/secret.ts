import { readClaims } from './claims.ts';
import { withDeadline } from './deadline.ts';
import { isOnbehalfError, OnbehalfError } from './errors.ts';
import { isWholeJwt } from './jwt-form.ts';
import { readTextFile } from './text-file.ts';

/** How long a function may take to give a secret. */
const FUNCTION_MS = 10_000;

/**
 * Where a secret comes from: its value; a file of UTF-8 text, read anew each time it is needed and without the line
 * breaks at its end; or a function, called each time.
 */
export type SecretSource = string | { readonly file: string } | (() => string | Promise<string>);

/** @throws TypeError that names `what` unless `source` is a {@link SecretSource} */
export function assertSecretSource(source: unknown, what: string): asserts source is SecretSource {
  if (typeof source === 'function' || (typeof source === 'string' && source !== '')) return;
  const { file } = Object(source) as { file?: unknown };
  // A path is shown in errors. What has more than one line is no path, but perhaps a key that was meant as value.
  if (typeof file === 'string' && file !== '' && !/[\0\r\n]/.test(file)) return;
  throw new TypeError(
    `"${what}" must be a non-empty string, { file: "path" } or a function that gives a string`,
  );
}

/**
 * Makes a reader of a secret that is a JWT which somebody else made, and which has to be whole and not over.
 *
 * @returns a function that throws OnbehalfError `client_auth_unavailable`, or the reason of its signal
 * @throws TypeError that names `what` unless `source` is a {@link SecretSource}, and a JWT if it is a value
 */
export function jwtSource(source: unknown, what: string): (signal?: AbortSignal) => Promise<string> {
  assertSecretSource(source, what);
  const fixed = typeof source === 'string';
  if (fixed && !isWholeJwt(source)) throw new TypeError(`"${what}" must be a JWT`);
  return async (signal) => {
    const jwt = await readSecret(source, what, signal);
    // A file may be half-written, or be about to be renewed.
    if (!isWholeJwt(jwt)) throw authUnavailable(`"${what}" is no JWT, or a part of one`);
    const exp = readClaims(jwt)?.exp;
    if (exp !== undefined && !(exp > Date.now())) {
      throw authUnavailable(`"${what}" has expired`, fixed ? 'misconfigured' : 'unavailable');
    }
    return jwt;
  };
}

/**
 * Reads a secret as it is now.
 *
 * @param what - names the option in errors, e.g. `clientAuth.clientSecret`
 * @returns the secret, not empty
 * @throws OnbehalfError `client_auth_unavailable`, or the reason of `signal`
 */
export async function readSecret(source: SecretSource, what: string, signal?: AbortSignal): Promise<string> {
  signal?.throwIfAborted();
  if (typeof source === 'string') return source;
  if (typeof source === 'function') return called(source, what, signal);
  const read = await readTextFile(source.file);
  signal?.throwIfAborted();
  if ('text' in read) return read.text;
  throw authUnavailable(`"${what}": ${read.problem}`, read.failure);
}

/** The error of a client that cannot prove who it is, because what it needs for that is not there or of no use. */
export function authUnavailable(
  message: string,
  failure: 'unavailable' | 'misconfigured' = 'unavailable',
): OnbehalfError {
  return new OnbehalfError('client_auth_unavailable', message, { failure });
}

async function called(
  source: () => string | Promise<string>,
  what: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  let secret: unknown;
  try {
    secret = await withDeadline(FUNCTION_MS, signal, async () => source());
  } catch (error) {
    signal?.throwIfAborted();
    // What a foreign function throws may hold anything, so nothing of it is passed on.
    const late = isOnbehalfError(error) && error.code === 'deadline_exceeded';
    throw authUnavailable(`"${what}": its function ${late ? `took more than ${FUNCTION_MS} ms` : 'failed'}`);
  }
  if (typeof secret !== 'string') {
    throw authUnavailable(`"${what}": its function gave no string`, 'misconfigured');
  }
  if (secret === '') throw authUnavailable(`"${what}": its function gave an empty string`);
  return secret;
}
