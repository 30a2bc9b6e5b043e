import type { JSONWebKeySet } from 'jose';
import type { ExchangeRecord } from './exchange-log.ts';
import type { Fault } from './faults.ts';

/** A client that may exchange tokens at the development STS. */
export interface DevelopmentClient {
  /** `client_id`: printable ASCII, unique among the clients. */
  readonly clientId: string;
  /** `token_endpoint_auth_method`. A client with `none` cannot use the client credentials grant. */
  readonly authentication: 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt';
  /** Required for the `client_secret_*` methods, refused for the others. */
  readonly clientSecret?: string | undefined;
  /** Public keys that verify client assertions. Required for `private_key_jwt`, refused for the others. */
  readonly jwks?: JSONWebKeySet | undefined;
  /** `audience` and `resource` values this client may obtain; any other is answered `invalid_target`. */
  readonly audiences: readonly string[];
  /** Scopes this client may obtain; any other is answered `invalid_scope`. Default: none. */
  readonly scopes?: readonly string[] | undefined;
}

/** A user that subject tokens can be minted for. */
export interface DevelopmentUser {
  /** `sub` of the user's tokens. */
  readonly sub: string;
  /** Becomes the `name` claim of minted subject tokens. */
  readonly name?: string | undefined;
}

/** An issuer outside whose subject and actor tokens are accepted. Exactly one of `jwks` and `jwksUri`. */
export interface TrustedIssuer {
  /** Compared with the `iss` claim, character by character. */
  readonly issuer: string;
  /** Public keys; this or `jwksUri`. */
  readonly jwks?: JSONWebKeySet | undefined;
  /** Where the public keys are; this or `jwks`. */
  readonly jwksUri?: string | undefined;
}

/** Options of {@link createDevelopmentSts}. */
export interface DevelopmentStsOptions {
  /** Address to listen on, also the host of the issuer. Default `127.0.0.1`; only loopback is accepted. */
  readonly host?: string | undefined;
  /** TCP port; 0 picks a free one. Default 0. */
  readonly port?: number | undefined;
  /**
   * Lets `host` be an address that others can reach. Whoever reaches this server can mint a token for any
   * configured user without a password. Default false.
   */
  readonly dangerouslyAllowNonLoopback?: boolean | undefined;
  /** Lifetime of issued access tokens in seconds, cut to what is left of the subject token. Default 300. */
  readonly accessTokenTtl?: number | undefined;
  /** Who may exchange, and for what. */
  readonly clients: readonly DevelopmentClient[];
  /** Default: none. */
  readonly users?: readonly DevelopmentUser[] | undefined;
  /** Issuers outside whose tokens may be exchanged. Default: none, only tokens of this server. */
  readonly trustedIssuers?: readonly TrustedIssuer[] | undefined;
  /** Called after each token exchange attempt, with what is also appended to `exchanges`. */
  readonly onExchange?: ((record: ExchangeRecord) => void) | undefined;
  /**
   * For leak tests only: called with each token issued or minted, so that a test can assert that none of
   * them shows up where it must not. The server itself keeps no token.
   */
  readonly onToken?: ((token: string) => void) | undefined;
}

/** Options of {@link DevelopmentSts.mintSubjectToken}. */
export interface SubjectTokenOptions {
  /** A configured user. */
  readonly sub: string;
  /** `aud`: the client ids that may exchange the token. One value becomes a string, several an array. */
  readonly audience: string | readonly string[];
  /** Space-separated `scope` claim. Default: no claim. */
  readonly scope?: string | undefined;
  /** Lifetime in seconds; negative makes a token that has expired. Default 300. */
  readonly expiresIn?: number | undefined;
  /** More claims, e.g. `act`, `may_act`, `nbf`. The claims this server sets itself win. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
}

/** A running development STS. */
export interface DevelopmentSts {
  /** Issuer identifier, e.g. `http://127.0.0.1:49152`. */
  readonly issuer: string;
  /** Where tokens are exchanged. */
  readonly tokenEndpoint: string;
  /** Public keys that issued tokens verify with. */
  readonly jwksUri: string;
  /** Authorization server metadata, RFC 8414 section 3. */
  readonly metadataUrl: string;
  /** The last 1000 token exchange attempts, oldest first: claims only, never a token. */
  readonly exchanges: readonly ExchangeRecord[];
  /**
   * Makes a subject token of this server, as a user's sign-in would (JWT access token, RFC 9068).
   *
   * @throws Error when `sub` is not a configured user
   */
  mintSubjectToken(options: SubjectTokenOptions): Promise<string>;
  /**
   * Makes coming token exchange requests misbehave. Faults queue up: each request takes the first one that
   * matches it, and only that one.
   *
   * @throws TypeError when a field is out of range
   */
  inject(fault: Fault): void;
  /** Drops the faults that still wait. */
  clearFaults(): void;
  /** Stops listening and destroys all open sockets. Calling it again does nothing. */
  close(): Promise<void>;
}
