import * as oauth from 'oauth4webapi';
import { jwtSource, type SecretSource } from './secret.ts';
import type { SigningKeySource } from './signing-key.ts';

/** RFC 7523 section 2.2. */
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const WHAT = 'clientAuth.assertion';

/** What a client assertion that is made here says, where the STS wants it otherwise (RFC 7523 section 3). */
export interface AssertionOptions {
  /** `aud`. Default: the issuer of the STS, or its token endpoint when no issuer is known. */
  readonly audience?: string | undefined;
  /** Changes header and claims before they are signed: adds `x5t#S256` for Microsoft Entra, for example. */
  readonly modifyAssertion?:
    | ((header: Record<string, unknown>, claims: Record<string, unknown>) => void)
    | undefined;
}

/** What a request to the STS is authenticated by; see `oauth4webapi`. */
export type AuthRequest = Parameters<oauth.ClientAuth>;

/** Proves to the STS who the client is, by changing the body or the headers of the request. */
export type AuthMethod = (request: AuthRequest, signal?: AbortSignal) => void | Promise<void>;

/** Signs an assertion with the client's private key for each request (RFC 7523 section 2.2). */
export function signedAssertion(
  source: SigningKeySource,
  options: AssertionOptions & { readonly keyId?: string | undefined },
): AuthMethod {
  return async (request, signal) => {
    const { key, algorithm, ...found } = await source(signal);
    const kid = options.keyId ?? found.keyId;
    const named = kid === undefined ? { key } : { key, kid };
    await oauth.PrivateKeyJwt(named, modification(options, algorithm))(...request);
  };
}

/** Makes an assertion with the client's secret for each request (OpenID Connect Core 1.0 section 9). */
export async function secretAssertion(
  secret: string,
  options: AssertionOptions,
  request: AuthRequest,
): Promise<void> {
  await oauth.ClientSecretJwt(secret, modification(options))(...request);
}

/**
 * Sends an assertion that somebody else made, as a Kubernetes cluster does with a projected service-account token (RFC
 * 7523 section 2.2).
 *
 * @throws TypeError when it is given as a value that is no JWT
 */
export function givenAssertion(source: SecretSource): AuthMethod {
  const read = jwtSource(source, WHAT);
  return async ([, client, body], signal) => {
    const assertion = await read(signal);
    body.set('client_id', client.client_id);
    body.set('client_assertion_type', JWT_BEARER);
    body.set('client_assertion', assertion);
  };
}

function modification(options: AssertionOptions, algorithm?: string): oauth.ModifyAssertionOptions {
  const { audience, modifyAssertion } = options;
  return {
    [oauth.modifyAssertion](header, claims) {
      // The library knows only the newer name of RFC 9864, which not every STS does.
      if (algorithm === 'EdDSA') header.alg = algorithm;
      if (audience !== undefined) claims.aud = audience;
      modifyAssertion?.(header, claims);
    },
  };
}
