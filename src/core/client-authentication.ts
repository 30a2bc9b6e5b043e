import type { CryptoKey } from 'jose';
import * as oauth from 'oauth4webapi';
import { makeRoom } from './bounded.ts';
import {
  type AssertionOptions,
  type AuthMethod,
  type AuthRequest,
  givenAssertion,
  secretAssertion,
  signedAssertion,
} from './client-assertion.ts';
import { clientCertificateSource } from './client-certificate.ts';
import { OnbehalfError } from './errors.ts';
import type { FetchLike } from './http.ts';
import { createMtlsFetch } from './mtls-fetch.ts';
import { checkOptions, isText, type OptionForm } from './options.ts';
import { assertSecretSource, authUnavailable, readSecret, type SecretSource } from './secret.ts';
import { SIGNING_ALGORITHMS, signingKeySource } from './signing-key.ts';

/** How this client proves to the STS who it is (RFC 6749 section 2.3, RFC 7523 section 2.2, RFC 8705 section 2). */
export type ClientAuth =
  | { readonly method: 'none' }
  | { readonly method: 'client_secret_basic' | 'client_secret_post'; readonly clientSecret: SecretSource }
  | ({ readonly method: 'client_secret_jwt'; readonly clientSecret: SecretSource } & AssertionOptions)
  | ({
      readonly method: 'private_key_jwt';
      /** Private key for signing: a key, or text that is PEM without a passphrase or a JWK. */
      readonly privateKey: CryptoKey | SecretSource;
      /**
       * JWS `alg` for a key given as text. Default: the JWK's `alg`, else RS256 for RSA, and what the curve says. A
       * CryptoKey knows its own.
       */
      readonly algorithm?: string | undefined;
      /** `kid` of the assertion's header. Default: the JWK's `kid`, else none. */
      readonly keyId?: string | undefined;
    } & AssertionOptions)
  | {
      readonly method: 'client_assertion';
      /** A JWT that somebody else made for this STS, e.g. `{ file }` of a projected service-account token. */
      readonly assertion: SecretSource;
    }
  | {
      readonly method: 'tls_client_auth' | 'self_signed_tls_client_auth';
      /** The client's certificate, with those between it and its root, as PEM. */
      readonly certificate: SecretSource;
      /** Its private key as PEM without a passphrase. */
      readonly privateKey: SecretSource;
      /** Roots that the STS's certificate is verified with, as PEM. Default: those of Node. */
      readonly ca?: SecretSource | undefined;
    };

/** What authenticates this client's requests. It shows no secret when it is printed. */
export interface ClientAuthentication {
  /**
   * Authenticates one request: reads what it needs for that as it is now. As `oauth4webapi` calls it; the signal is for
   * callers that have one.
   *
   * @throws OnbehalfError `client_auth_unavailable`, or the reason of `signal`
   */
  readonly authenticate: (...request: [...AuthRequest, signal?: AbortSignal]) => Promise<void>;
  /** What was sent in confidence last, as it reads on the wire, so that no error repeats it. */
  readonly sent: () => readonly string[];
  /** Shows the client certificate; there for the methods by TLS only, which need it for every request. */
  readonly fetch?: FetchLike | undefined;
}

/** How many values {@link ClientAuthentication.sent} keeps. */
const MAX_SENT = 16;

const TLS = { certificate: 'any', privateKey: 'any', ca: 'any?' } as const;
const ASSERTION = { audience: 'text?', modifyAssertion: 'function?' } as const;
/** By method, its options besides `method`. */
const FORMS: Readonly<Record<ClientAuth['method'], Readonly<Record<string, OptionForm>>>> = {
  none: {},
  client_secret_basic: { clientSecret: 'any' },
  client_secret_post: { clientSecret: 'any' },
  client_secret_jwt: { clientSecret: 'any', ...ASSERTION },
  private_key_jwt: { privateKey: 'any', algorithm: SIGNING_ALGORITHMS, keyId: 'text?', ...ASSERTION },
  client_assertion: { assertion: 'any' },
  tls_client_auth: TLS,
  self_signed_tls_client_auth: TLS,
};

/**
 * Turns the setting into what authenticates requests. Secrets stay in its closure.
 *
 * @param options - `omitsClientId`: a public client does not name itself either
 * @throws TypeError that names the field when the setting is not of its form
 */
export function createClientAuthentication(
  setting: ClientAuth,
  clientId: string,
  options: { readonly omitsClientId?: boolean | undefined } = {},
): ClientAuthentication {
  assertSetting(setting);
  const sent = createRecent();
  const method = options.omitsClientId && setting.method === 'none' ? () => {} : methodOf(setting, sent.add);
  // An answer to a request that another instance sent may be read with this one.
  if ('clientSecret' in setting && typeof setting.clientSecret === 'string') {
    sent.add(setting.clientSecret, ...basicCredentials(setting.clientSecret, clientId));
  }
  return Object.freeze({
    authenticate: async (...[as, client, body, headers, signal]) => {
      try {
        await method([as, client, body, headers], signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof OnbehalfError) throw error;
        // What a library throws can hold the key.
        throw authUnavailable(`"clientAuth" of method ${setting.method} failed`, 'misconfigured');
      }
      sent.add(...confidential(body, headers));
    },
    sent: sent.values,
    ...(isTls(setting) && { fetch: createMtlsFetch(clientCertificateSource(setting)) }),
  } satisfies ClientAuthentication);
}

function methodOf(setting: ClientAuth, onSecret: (secret: string) => void): AuthMethod {
  const withSecret =
    (
      source: SecretSource,
      prove: (secret: string, request: AuthRequest) => void | Promise<void>,
    ): AuthMethod =>
    async (request, signal) => {
      const secret = await readSecret(source, 'clientAuth.clientSecret', signal);
      onSecret(secret);
      await prove(secret, request);
    };
  switch (setting.method) {
    case 'none':
    case 'tls_client_auth':
    case 'self_signed_tls_client_auth':
      // RFC 8705 section 2: it says who it is; the certificate of the connection proves it.
      return (request) => oauth.None()(...request);
    case 'client_secret_basic':
      return withSecret(setting.clientSecret, (secret, request) => clientSecretBasic(secret)(...request));
    case 'client_secret_post':
      return withSecret(setting.clientSecret, (secret, request) =>
        oauth.ClientSecretPost(secret)(...request),
      );
    case 'client_secret_jwt':
      return withSecret(setting.clientSecret, (secret, request) => secretAssertion(secret, setting, request));
    case 'private_key_jwt':
      return signedAssertion(signingKeySource(setting.privateKey, setting.algorithm), setting);
    case 'client_assertion':
      return givenAssertion(setting.assertion);
  }
}

function assertSetting(setting: ClientAuth): void {
  const { method, ...rest } = setting;
  if (typeof method !== 'string' || !Object.hasOwn(FORMS, method)) {
    throw new TypeError(`"clientAuth.method" must be one of ${Object.keys(FORMS).join(', ')}`);
  }
  checkOptions(named(rest), `clientAuth of method ${method}`, named(FORMS[method]));
  if ('clientSecret' in setting) assertSecretSource(setting.clientSecret, 'clientAuth.clientSecret');
}

const named = <T>(fields: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [`clientAuth.${name}`, value]));

const isTls = (setting: ClientAuth): setting is Extract<ClientAuth, { readonly certificate: SecretSource }> =>
  setting.method === 'tls_client_auth' || setting.method === 'self_signed_tls_client_auth';

/** What authenticates a request, of its body and headers. */
function confidential(body: URLSearchParams, headers: Headers): readonly string[] {
  const basic = headers.get('authorization')?.replace(/^Basic /, '');
  // RFC 6749 section 2.3.1: the secret is form-encoded first, and so it reads to a server that does not decode it.
  const encoded = basic === undefined ? undefined : atob(basic).split(':')[1];
  return [basic, encoded, body.get('client_assertion')].filter(
    (value) => value !== undefined && value !== null,
  );
}

/**
 * RFC 6749 section 2.3.1, with the encoding of its appendix B, which leaves `*-._` as they are. oauth4webapi's own encodes
 * those too; servers that do not decode, of which there are many, then know no client.
 */
function clientSecretBasic(secret: string): oauth.ClientAuth {
  return (_server, client, _body, headers) => {
    const credentials = `${formEncoded(client.client_id)}:${formEncoded(secret)}`;
    headers.set('authorization', `Basic ${Buffer.from(credentials).toString('base64')}`);
  };
}

function formEncoded(value: string): string {
  if (!isText(value)) throw new URIError('half a surrogate pair cannot be encoded');
  return new URLSearchParams([['', value]]).toString().slice(1);
}

function basicCredentials(secret: string, clientId: string): readonly string[] {
  const headers = new Headers();
  const body = new URLSearchParams();
  // Through bytes: half a surrogate pair cannot be encoded.
  const encodable = Buffer.from(secret).toString();
  void clientSecretBasic(encodable)({ issuer: '' }, { client_id: clientId }, body, headers);
  return confidential(body, headers);
}

/** The last few values, each once. */
function createRecent(): { add(...values: readonly string[]): void; values(): readonly string[] } {
  const recent = new Set<string>();
  return {
    add(...values) {
      for (const value of values) {
        recent.delete(value);
        makeRoom(recent, MAX_SENT);
        recent.add(value);
      }
    },
    values: () => [...recent],
  };
}
