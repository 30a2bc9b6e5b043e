import type { FailureClass } from './errors.ts';
import type { ExchangeParameters } from './exchange-parameters.ts';
import { checkOptions } from './options.ts';
import { type Check, checkNames, type ProfileName } from './target.ts';

/** What an STS said in an OAuth error response (RFC 6749 section 5.2), as it came: not redacted. */
export interface ErrorAnswer {
  /** HTTP status. */
  readonly status: number;
  /** `error`. */
  readonly error: string;
  /** `error_description`. */
  readonly description: string | undefined;
  /** Every member of the answer, for what is the provider's own. */
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * How an STS differs from RFC 8693. All of it is about one provider, so it is given with the token service; a user adds a
 * provider by writing one of these.
 */
export interface Dialect {
  /** Part of each token's key, and shown in events. */
  readonly name: string;
  /** How targets that name no profile are exchanged. Default: `rfc8693`. */
  readonly profile?: Exclude<ProfileName, 'id-jag'> | undefined;
  /** `requested_token_type` of targets that name none. Default: not sent. */
  readonly requestedTokenType?: string | undefined;
  /** `issued_token_type` where the answer leaves it out. Default: the answer must have it (RFC 8693 section 2.2.1). */
  readonly issuedTokenType?: string | undefined;
  /** Says why an exchange cannot work at this provider. It is then refused before anything is sent. */
  readonly refuse?: ((exchange: ExchangeParameters) => string | undefined) | undefined;
  /** Changes the form of an exchange to what the provider takes. It may change and return the one it is given. */
  readonly form?: ((form: URLSearchParams, exchange: ExchangeParameters) => URLSearchParams) | undefined;
  /** The class of an error, where the provider means something else by it than the RFCs. */
  readonly classify?: ((answer: ErrorAnswer) => FailureClass | undefined) | undefined;
  /** Checks that the provider's tokens never pass, by its design. */
  readonly unchecked?: readonly Check[] | undefined;
  /** Scopes that the provider gives every token of this client, asked or not: with them its scope is not wider. */
  readonly addedScopes?: readonly string[] | undefined;
  /** Whether a public client is not named in the form, because the provider knows no clients. Default: false. */
  readonly omitsClientId?: boolean | undefined;
}

/** @throws TypeError that names the member which is not of its form */
export function checkDialect(dialect: Dialect): void {
  checkOptions(dialect, '"dialect"', {
    name: 'text',
    profile: ['rfc8693', 'entra-obo'],
    requestedTokenType: 'text?',
    issuedTokenType: 'text?',
    refuse: 'function?',
    form: 'function?',
    classify: 'function?',
    unchecked: 'object?',
    addedScopes: 'object?',
    omitsClientId: 'boolean?',
  });
  checkNames(dialect.unchecked);
}
