import { createRemoteJWKSet, type JWTVerifyGetKey } from 'jose';
import { OnbehalfError } from '../core/errors.ts';
import { boundedFetch } from '../core/http.ts';
import { secureUrl } from '../core/secure-url.ts';

/** An issuer whose tokens are taken. */
export interface IssuerOptions {
  /** `iss` of the tokens. */
  readonly issuer: string;
  /** Where its keys are. Default: as its metadata says (RFC 8414, OpenID Connect Discovery). */
  readonly jwksUrl?: string | undefined;
  readonly dangerouslyAllowInsecureHttp?: boolean | undefined;
}

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 262_144;
/** How long a failed discovery is told again, so that nobody can have it tried with each request. */
const COOL_DOWN_MS = 2_000;

/**
 * The keys of an issuer, fetched when the first token has to be verified, kept, and fetched anew for a token of an unknown key.
 *
 * @returns a function that throws OnbehalfError `sts_metadata_invalid`, `insecure_url` or of an STS that cannot be reached, or what `jose` throws
 * @throws OnbehalfError `insecure_url` when keys or metadata would come in clear text, where anybody could change them
 */
export function createIssuerKeys(options: IssuerOptions): JWTVerifyGetKey {
  const { issuer, jwksUrl, dangerouslyAllowInsecureHttp } = options;
  const remote = (url: string, what: string): JWTVerifyGetKey =>
    createRemoteJWKSet(secureUrl(url, what, dangerouslyAllowInsecureHttp), { timeoutDuration: TIMEOUT_MS });
  if (jwksUrl !== undefined) return remote(jwksUrl, `"jwks_url" of ${issuer}`);
  secureUrl(issuer, '"issuer"', dangerouslyAllowInsecureHttp);

  let keys: Promise<JWTVerifyGetKey> | undefined;
  const discovered = async (): Promise<JWTVerifyGetKey> =>
    remote(await discoverJwksUri(issuer), `"jwks_uri" in the metadata of ${issuer}`);
  return async (header, token) => {
    keys ??= discovered().catch((error: unknown) => {
      setTimeout(() => {
        keys = undefined;
      }, COOL_DOWN_MS).unref();
      throw error;
    });
    return (await keys)(header, token);
  };
}

async function discoverJwksUri(issuer: string): Promise<string> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const places = [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
  const get = boundedFetch({ fetch, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES });
  for (const place of places) {
    const response = await get(place, { headers: { accept: 'application/json' } });
    if (response.status === 404) continue;
    return jwksUriOf(issuer, await documentOf(response));
  }
  throw invalid(issuer, 'cannot be found: set "jwks_url"');
}

async function documentOf(response: Response): Promise<Readonly<Record<string, unknown>>> {
  try {
    return response.ok ? (Object(await response.json()) as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** The document has to be the issuer's own (RFC 8414 section 3.3). */
function jwksUriOf(issuer: string, metadata: Readonly<Record<string, unknown>>): string {
  if (metadata.issuer !== issuer) throw invalid(issuer, 'is not of this issuer');
  if (typeof metadata.jwks_uri !== 'string') throw invalid(issuer, 'has no "jwks_uri"');
  return metadata.jwks_uri;
}

function invalid(issuer: string, why: string): OnbehalfError {
  return new OnbehalfError('sts_metadata_invalid', `the metadata of the issuer ${issuer} ${why}`, {
    failure: 'misconfigured',
  });
}
