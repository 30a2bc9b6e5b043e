import type { ExchangeParameters } from '../exchange-parameters.ts';
import type { Check, ResolvedTarget } from '../target.ts';

/** How one request of a profile is made, and its answer read. */
export interface Profile {
  /** `grant_type`. */
  readonly grantType: string;
  /** The parameters, in order, without `grant_type` and those of the client's authentication. */
  readonly form: (exchange: ExchangeParameters) => URLSearchParams;
  /** Says why an exchange cannot be made in this way. */
  readonly refuse?: ((exchange: ExchangeParameters) => string | undefined) | undefined;
  /** `issued_token_type` where the grant's answer has none. Default: the answer must have it. */
  readonly issuedTokenType?: string | undefined;
  /** What must stand in `aud`. Default: the target's audiences, or its resources when it has none. */
  readonly audiences?: ((target: ResolvedTarget) => readonly string[]) | undefined;
  /** Scopes that a token may have which was asked for these; `undefined`: any. Default: those that were asked for. */
  readonly grantedScopes?: ((asked: readonly string[]) => readonly string[] | undefined) | undefined;
  /** The claim by which the issued token's user is compared with the subject. Default: `sub`. */
  readonly subjectClaim?: 'sub' | 'oid' | undefined;
  /** Checks that cannot be made. */
  readonly unchecked?: readonly Check[] | undefined;
}
