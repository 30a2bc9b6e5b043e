/**
 * What may be accepted, told once more from the specifications: RFC 8693 section 2.2, RFC 6749 section 5.1, RFC 7519, and
 * the invariants of the design. None of the reference's files imports anything of src, or a library that src uses.
 *
 * Signatures, `iss` and `nbf` are for the resource server, which can verify them.
 */

/** What a token was asked for. */
export interface Asked {
  readonly audiences: readonly string[];
  readonly resources: readonly string[];
  readonly scopes: readonly string[];
  readonly requestedTokenType: string | undefined;
  readonly opaqueAllowed: boolean;
  readonly unchecked: readonly string[];
  /** Tokens that were sent: one of them is no answer. */
  readonly sent: readonly string[];
  /** What the subject token says of the user; `exp` in seconds. */
  readonly subject: {
    readonly sub?: string | undefined;
    readonly oid?: string | undefined;
    readonly exp?: number | undefined;
    readonly may_act?: unknown;
  };
  /** What the actor token says, where one was sent. */
  readonly actor: { readonly sub?: string | undefined; readonly iss?: string | undefined } | undefined;
  /** In milliseconds. */
  readonly now: number;
  readonly provider: Provider;
}

/** How the documentation of a provider departs from RFC 8693. */
export interface Provider {
  /** `issued_token_type` of an answer that has none. */
  readonly impliedType?: string;
  /** The only type that it is asked for. */
  readonly requestedTokenType?: string;
  readonly addedScopes?: readonly string[];
  /** Scopes come back without the API's name before them, and `.default` stands for any. */
  readonly shortScopes?: boolean;
  readonly unchecked?: readonly string[];
  /** The user is compared by `oid`. */
  readonly byOid?: boolean;
}

/** An answer as it is on the wire. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/**
 * - `refused`: must never be accepted.
 * - `tolerated`: not as the specifications want it, but harmless, and read in one way only: it may be accepted.
 * - `valid`: must be accepted.
 */
export interface Judgement {
  readonly verdict: 'refused' | 'tolerated' | 'valid';
  readonly why: readonly string[];
}

/** A judgement while it is made. */
export interface Notes {
  refuse(why: string): void;
  tolerate(why: string): void;
  judgement(): Judgement;
}

export function createNotes(): Notes {
  const refused: string[] = [];
  const tolerated: string[] = [];
  return {
    refuse: (why) => void refused.push(why),
    tolerate: (why) => void tolerated.push(why),
    judgement() {
      if (refused.length > 0) return { verdict: 'refused', why: refused };
      return { verdict: tolerated.length > 0 ? 'tolerated' : 'valid', why: tolerated };
    },
  };
}

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
