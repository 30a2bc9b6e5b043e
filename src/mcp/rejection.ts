import { type FailureClass, OnbehalfError } from '../core/errors.ts';
import { holdsSecret } from '../core/redact.ts';
import type { BearerChallenge } from './challenge.ts';
import type { McpServer } from './server.ts';

/**
 * What is thrown for a 401 or 403 that nothing more can be done about. Of the server's words it repeats the scopes that
 * it asks for, if they are such and no part of the token is among them.
 *
 * @param seen - `token`: what was sent; `undefined` for nothing; `'unknown'` when it cannot be told here
 */
export function rejected(
  server: Pick<McpServer, 'name' | 'url'>,
  status: number,
  seen: { readonly challenge: BearerChallenge | undefined; readonly token: string | undefined },
): OnbehalfError {
  const { error, scope } = seen.challenge ?? {};
  if (status === 403 && error === 'insufficient_scope') {
    const what = isSafe(scope, seen.token) ? `the scope "${scope.join(' ').slice(0, 512)}"` : 'another scope';
    const message = `${server.name} wants ${what} for this; "scope" of its target, or "stepUpScopes", may allow it`;
    return new OnbehalfError('insufficient_scope', message, { failure: 'denied', status });
  }
  // RFC 9470: the user has to sign in anew, or in another way.
  const failure: FailureClass =
    error === 'insufficient_user_authentication' ? 'reauthentication_required' : 'denied';
  // By its address too: where two servers' targets are mixed up, the name is that of the other.
  const who = `${server.name}, at ${server.url.origin},`;
  const message =
    seen.token === undefined
      ? `${who} refused the request (status ${status})`
      : `${who} refused the token (status ${status})${status === 401 ? WRONG_TARGET : ''}`;
  return new OnbehalfError('server_rejected_token', message, { failure, status });
}

const WRONG_TARGET = ': is its "target" the one that this server takes?';

/** Scopes are the server's words: it could spell out the token in them, in pieces. */
function isSafe(scope: readonly string[] | undefined, token: string | undefined): scope is readonly string[] {
  if (!scope || token === 'unknown') return false;
  if (token === undefined) return true;
  return (
    !holdsSecret(scope.join(' '), [token]) && !scope.some((one) => one.length >= 12 && token.includes(one))
  );
}
