import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';
import { OnbehalfError } from '../core/errors.ts';
import { boundedFetch } from '../core/http.ts';
import { issuerMetadataUrls } from '../core/metadata.ts';
import { secureUrl } from '../core/secure-url.ts';

/** An issuer whose tokens are taken. */
export interface IssuerOptions {
  /** `iss` of the tokens. */
  readonly issuer: string;
  /** Where its keys are. Default: as its metadata says (RFC 8414, OpenID Connect Discovery). */
  readonly jwksUrl?: string | undefined;
  readonly dangerouslyAllowInsecureHttp?: boolean | undefined;
}

/** The keys of an issuer, kept, and fetched anew for a token of an unknown key. */
export interface IssuerKeys {
  /** `iss` of the tokens. */
  readonly issuer: string;
  /** The key of a token. @throws OnbehalfError `sts_metadata_invalid`, `insecure_url` or of an STS that cannot be reached, or what `jose` throws */
  readonly getKey: JWTVerifyGetKey;
  /** Whether they were had once. */
  readonly isReady: () => boolean;
  /** Fetches them unless they were had. @throws as `getKey` */
  prepare(): Promise<void>;
  /** Breaks off requests under way. */
  close(): void;
}

type KeySet = ReturnType<typeof createRemoteJWKSet>;
type Get = ReturnType<typeof boundedFetch>;

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 262_144;
/** How long a failed discovery is told again, so that nobody can have it tried with each request. */
const COOL_DOWN_MS = 2_000;

/** @throws OnbehalfError `insecure_url` when keys or metadata would come in clear text, where anybody could change them */
export function createIssuerKeys(options: IssuerOptions): IssuerKeys {
  const { issuer, jwksUrl, dangerouslyAllowInsecureHttp } = options;
  const ending = new AbortController();
  const get = boundedFetch({ fetch, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, signal: ending.signal });
  const remote = (url: string, what: string): KeySet =>
    createRemoteJWKSet(secureUrl(url, what, dangerouslyAllowInsecureHttp), {
      timeoutDuration: TIMEOUT_MS,
      [customFetch]: (from, { headers }) => get(from, { headers }),
    });
  let known = jwksUrl === undefined ? undefined : remote(jwksUrl, `"jwks_url" of ${issuer}`);
  if (!known) secureUrl(issuer, '"issuer"', dangerouslyAllowInsecureHttp);

  let finding: Promise<KeySet> | undefined;
  let failed = false;
  const find = async (): Promise<KeySet> => {
    try {
      known = remote(await discoverJwksUri(issuer, get), `"jwks_uri" in the metadata of ${issuer}`);
      return known;
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  const begin = (): Promise<KeySet> => {
    failed = false;
    const mine = find();
    finding = mine;
    mine.catch(() => {
      const forget = (): void => {
        if (finding === mine) finding = undefined;
      };
      setTimeout(forget, COOL_DOWN_MS).unref();
    });
    return mine;
  };

  return {
    issuer,
    getKey: async (header, token) => (known ?? (await (finding ?? begin())))(header, token),
    isReady: () => known?.jwks() !== undefined,
    async prepare() {
      // Whoever prepares knows when to try again.
      const set = known ?? (await (finding && !failed ? finding : begin()));
      if (set.jwks() === undefined) await set.reload();
    },
    close: () => ending.abort(new Error('the agent is being stopped')),
  };
}

async function discoverJwksUri(issuer: string, get: Get): Promise<string> {
  for (const { href } of issuerMetadataUrls(issuer)) {
    const response = await get(href, { headers: { accept: 'application/json' } });
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
