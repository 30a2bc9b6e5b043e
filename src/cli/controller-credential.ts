import { type ActorSource, clientCredentialsActor } from '../core/actor.ts';
import { readClaims } from '../core/claims.ts';
import { OnbehalfError } from '../core/errors.ts';
import type { TokenService } from '../core/token-service-handle.ts';

/**
 * The controller's own token for one server. Whoever may write a RemoteMCPServer chooses where it is sent, so it has to be of no
 * use elsewhere: an STS that passes over `resource` (RFC 8707) gives one that is, and that is never sent.
 *
 * @returns a source that throws OnbehalfError `actor_unavailable` for a token that is not for this server alone, or that does
 * not say what it is for
 */
export function listingCredential(service: TokenService, server: URL): ActorSource {
  const ask = clientCredentialsActor(service, { resource: server.href });
  const own: ReadonlySet<string> = new Set([server.href, server.origin, `${server.origin}/`]);
  return async (options) => {
    const given = await ask(options);
    const aud = readClaims(typeof given === 'string' ? given : given.token)?.aud;
    if (aud?.length && aud.every((one) => own.has(one))) return given;
    const what = aud?.length ? 'is for more than this server' : 'does not say what it is for';
    throw new OnbehalfError(
      'actor_unavailable',
      `the STS was asked for a token for ${server.href} and gave one that ${what}, which is not sent: its "aud" has to be ` +
        'this URL, or its origin, and nothing else, so the STS has to heed "resource" (RFC 8707)',
      { failure: 'misconfigured' },
    );
  };
}
