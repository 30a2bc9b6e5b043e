import { isOnbehalfError } from '../../core/errors.ts';
import { boundedFetch, type FetchLike } from '../../core/http.ts';
import { discoverMetadata } from '../../core/metadata.ts';
import type { TokenServiceSpec } from '../api/token-service.ts';
import { type Finding, shortened } from './conditions.ts';

/** What was found out about an STS. */
export interface TokenServiceCheck {
  readonly Ready: Finding;
  /** Where tokens are exchanged. */
  readonly tokenEndpoint?: string | undefined;
}

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 1_048_576;
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const no = (reason: string, message: string): TokenServiceCheck => ({
  Ready: { status: 'False', reason, message },
});
const yes = (tokenEndpoint: string, message: string): TokenServiceCheck => ({
  Ready: { status: 'True', reason: 'Ready', message },
  tokenEndpoint,
});

/** What is known of an STS without a look at it; `undefined`: nothing. */
export function knownOfTokenService(spec: TokenServiceSpec): TokenServiceCheck | undefined {
  if (spec.tokenEndpoint !== undefined) {
    return yes(spec.tokenEndpoint, 'The token endpoint is given, and nothing else is looked at.');
  }
  if (spec.tls?.caCertSecretRef !== undefined || spec.tls?.disableVerify) {
    const why = spec.tls.disableVerify
      ? 'Its certificate is not to be verified'
      : `Its certificate is verified by the Secret ${spec.tls.caCertSecretRef}, which the controller does not read`;
    const message = `${why}, so only the agents ask for its metadata.`;
    return { Ready: { status: 'Unknown', reason: 'NotChecked', message } };
  }
  return undefined;
}

/**
 * Finds out whether tokens can be exchanged at an STS, as far as that can be known without a token: its metadata is
 * there, is that of the issuer, and does not say that it cannot exchange tokens. Nothing secret is sent.
 *
 * @throws the reason of `signal`
 */
export async function checkTokenService(
  spec: TokenServiceSpec,
  fetch: FetchLike,
  signal: AbortSignal,
): Promise<TokenServiceCheck> {
  const known = knownOfTokenService(spec);
  if (known !== undefined) return known;
  try {
    const bounded = boundedFetch({ fetch, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, signal });
    const metadata = await discoverMetadata(
      {
        issuer: spec.issuer,
        metadataUrl: spec.metadataURL,
        dangerouslyAllowInsecureHttp: spec.dangerouslyAllowInsecureHTTP,
        mtls: /tls_client_auth$/.test(spec.clientAuthentication.method),
      },
      bounded,
    );
    return checkGrants(spec, metadata.token_endpoint as string, metadata.grant_types_supported);
  } catch (error) {
    signal.throwIfAborted();
    // Any other message may hold what a library was given.
    const why = isOnbehalfError(error) ? error.message : 'its metadata cannot be read: check its URL';
    return no('DiscoveryFailed', shortened(inFieldNames(why)));
  }
}

function checkGrants(
  spec: TokenServiceSpec,
  tokenEndpoint: string,
  grants: readonly string[] | undefined,
): TokenServiceCheck {
  const grant = spec.profile === 'entra-obo' || spec.dialect === 'entra' ? JWT_BEARER : TOKEN_EXCHANGE;
  if (grants === undefined || grants.includes(grant)) {
    return yes(tokenEndpoint, 'Its metadata is there and names a token endpoint.');
  }
  return no(
    'GrantNotSupported',
    `Its metadata (grant_types_supported) does not name ${grant}: turn it on at the STS; ` +
      'or give spec.tokenEndpoint, if it takes the grant without saying so, and nothing is looked at.',
  );
}

/** The library's options are fields here. */
function inFieldNames(message: string): string {
  return message
    .replaceAll('"metadataUrl"', 'spec.metadataURL')
    .replaceAll('"tokenEndpoint", or "host"', 'spec.tokenEndpoint')
    .replaceAll('"issuer"', 'spec.issuer')
    .replaceAll('dangerouslyAllowInsecureHttp', 'spec.dangerouslyAllowInsecureHTTP');
}
