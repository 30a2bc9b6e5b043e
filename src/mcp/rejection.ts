import { type FailureClass, OnbehalfError } from '../core/errors.ts';
import { holdsSecret } from '../core/redact.ts';
import type { BearerChallenge } from './challenge.ts';
import type { McpServer } from './server.ts';

/**
 * What is thrown for a 401 or 403 that nothing more can be done about. Of the server's words it repeats the scopes that
 * it asks for, if they are such and the token is not among them.
 */
export function rejected(
  server: Pick<McpServer, 'name'>,
  status: number,
  seen: { readonly challenge: BearerChallenge | undefined; readonly token: string | undefined },
): OnbehalfError {
  const { error, scope } = seen.challenge ?? {};
  if (status === 403 && error === 'insufficient_scope') {
    const asked = (scope ?? []).join(' ').slice(0, 512);
    const safe = asked !== '' && !holdsSecret(asked, seen.token === undefined ? [] : [seen.token]);
    const what = safe ? `the scope "${asked}"` : 'a scope that it does not name';
    const message = `${server.name} wants ${what} for this; "scope" of its target, or "stepUpScopes", may allow it`;
    return new OnbehalfError('insufficient_scope', message, { failure: 'denied', status });
  }
  // RFC 9470: the user has to sign in anew, or in another way.
  const failure: FailureClass =
    error === 'insufficient_user_authentication' ? 'reauthentication_required' : 'denied';
  const what = seen.token === undefined ? 'the request' : 'the token';
  return new OnbehalfError('server_rejected_token', `${server.name} refused ${what} (status ${status})`, {
    ...{ failure, status },
  });
}
