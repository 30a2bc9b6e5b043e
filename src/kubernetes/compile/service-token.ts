import { parseUrl } from '../../core/url.ts';
import type { TokenServiceSpec } from '../api/token-service.ts';
import type { Context } from './context.ts';
import { type At, below } from './report.ts';

/** A TokenService, at its spec, and the member that says who the token is for. */
interface Wanted {
  readonly spec: TokenServiceSpec;
  readonly at: At;
  readonly member: 'actor' | 'clientAuthentication';
}

/**
 * Absolute path in the pod of a service-account token for an STS, by default for its issuer.
 *
 * What a TokenService of another namespace gets must be for its issuer, where that is: its owners could else have a
 * token made that the API server takes, or any other service.
 */
export function serviceToken(context: Context, { spec, at, member }: Wanted): string {
  const { issuer = '', actor } = spec;
  const { audience = issuer } = spec[member];
  if (at.object.namespace !== context.namespace) {
    const field = audience === spec.issuer ? elsewhere(spec, audience) : `${member}.audience`;
    if (field !== undefined) {
      const message =
        `of a TokenService of another namespace, a token of this Agent's pods can be for its issuer only, and where that is: ` +
        `otherwise make a TokenService in namespace ${context.namespace}`;
      context.report(below(at, field), 'NotPermitted', message);
    }
  }
  // All with the lifetime of the actor token: where the audience is the same too, one file serves both.
  return context.pod.token(audience, actor.expirationSeconds);
}

/** The field that sends tokens to another host than the issuer's, which may then be anybody's name. */
function elsewhere(spec: TokenServiceSpec, issuer: string): 'metadataURL' | 'tokenEndpoint' | undefined {
  const host = parseUrl(issuer)?.origin;
  return (['metadataURL', 'tokenEndpoint'] as const).find((member) => {
    const url = spec[member];
    return url !== undefined && parseUrl(url)?.origin !== host;
  });
}
