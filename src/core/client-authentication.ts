import type { CryptoKey } from 'jose';
import * as oauth from 'oauth4webapi';
import { formEncoded } from './redact.ts';

/** How this client proves to the STS who it is (RFC 6749 section 2.3, RFC 7523 section 2.2). */
export type ClientAuth =
  | { readonly method: 'none' }
  | { readonly method: 'client_secret_basic' | 'client_secret_post'; readonly clientSecret: string }
  | {
      readonly method: 'private_key_jwt';
      /** Private key for signing; its algorithm decides the JWS `alg`. */
      readonly privateKey: CryptoKey;
      /** `kid` of the assertion's header. Default: none. */
      readonly keyId?: string | undefined;
    };

/**
 * Turns the setting into what `oauth4webapi` calls at each request. Secrets stay in its closure.
 *
 * @throws TypeError that names the field when the setting is not of its form
 */
export function clientAuthentication(setting: ClientAuth): oauth.ClientAuth {
  switch (setting.method) {
    case 'none':
      return oauth.None();
    case 'client_secret_basic':
      return oauth.ClientSecretBasic(assertSecret(setting.clientSecret));
    case 'client_secret_post':
      return oauth.ClientSecretPost(assertSecret(setting.clientSecret));
    case 'private_key_jwt': {
      const { privateKey: key, keyId: kid } = setting;
      return oauth.PrivateKeyJwt(kid === undefined ? { key } : { key, kid });
    }
    default:
      throw new TypeError(
        '"clientAuth.method" must be one of none, client_secret_basic, client_secret_post, private_key_jwt',
      );
  }
}

/** The secrets of a setting as they are sent, so that none is repeated in an error. */
export function clientSecrets(setting: ClientAuth | undefined, clientId: string): readonly string[] {
  if (setting === undefined || !('clientSecret' in setting)) return [];
  const { clientSecret } = setting;
  // RFC 6749 section 2.3.1: each is form-encoded first.
  const basic = Buffer.from(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`).toString('base64');
  return [clientSecret, basic];
}

function assertSecret(secret: unknown): string {
  if (typeof secret !== 'string' || secret === '') {
    throw new TypeError('"clientAuth.clientSecret" must be a non-empty string');
  }
  return secret;
}
