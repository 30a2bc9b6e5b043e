import * as z from 'zod';
import { line } from './meta.ts';
import { type ObjectReference, objectReference } from './references.ts';
import { atMostOneOf, type Rule } from './rules.ts';

/** How a token is got; the same names as those of the library. */
export type Profile = 'rfc8693' | 'entra-obo' | 'id-jag';

/**
 * What tokens are for, at a server or at an agent's reference to it. At most one of the two. Field by field, the
 * reference wins over the server. The `tokenServiceRef` of a server is for Agents of its namespace only (ADR 11).
 */
export interface TargetFields {
  /** One audience: short for `tokenExchange.audiences`. */
  readonly stsAudience?: string | undefined;
  readonly tokenExchange?: TokenExchangeSpec | undefined;
}

/** Parameters of the token exchange (RFC 8693 section 2.1). */
export interface TokenExchangeSpec {
  readonly audiences?: readonly string[] | undefined;
  readonly resources?: readonly string[] | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly requestedTokenType?: string | undefined;
  readonly profile?: Profile | undefined;
  readonly tokenServiceRef?: ObjectReference | undefined;
}

const audience = line(1024);

/** Schema of {@link TokenExchangeSpec}. */
const tokenExchange: z.ZodType<TokenExchangeSpec> = z.strictObject({
  audiences: z
    .array(audience)
    .min(1)
    .max(8)
    .optional()
    .describe('Logical names of the server, as the STS knows them: the audience parameters (RFC 8693).'),
  resources: z
    .array(
      z
        .string()
        .max(2048)
        .regex(/^[A-Za-z][A-Za-z0-9+.-]*:[^\p{Z}\p{Cc}#]+$/u),
    )
    .min(1)
    .max(8)
    .optional()
    .describe('Absolute URIs of the server: the resource parameters (RFC 8707).'),
  scopes: z
    .array(
      z
        .string()
        .max(1024)
        .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/),
    )
    .min(1)
    .max(64)
    .optional()
    .describe('Scopes of the token (RFC 6749 section 3.3).'),
  requestedTokenType: line(256)
    .optional()
    .describe(
      'Type identifier of the token that is asked for (RFC 8693 section 3). Default: the STS decides.',
    ),
  profile: z
    .enum(['rfc8693', 'entra-obo', 'id-jag'])
    .optional()
    .describe('How the token is got. Default: as the TokenService says.'),
  tokenServiceRef: objectReference
    .optional()
    .describe(
      'The STS. At a server, or at an Agent as a tool, it is for Agents of the same namespace; one of another namespace must name a TokenService at its tool reference. Default: that of the Agent, else the TokenService "default" in the namespace of the Agent.',
    ),
});

/** The two fields, for the schema of whatever tokens are made for. */
export const TARGET_FIELDS: {
  readonly stsAudience: z.ZodOptional<z.ZodString>;
  readonly tokenExchange: z.ZodOptional<z.ZodType<TokenExchangeSpec>>;
} = {
  stsAudience: audience
    .optional()
    .describe('Audience of the tokens: short for tokenExchange with this one audience. Give one of the two.'),
  tokenExchange: tokenExchange
    .optional()
    .describe('Parameters of the token exchange (RFC 8693). Give this or stsAudience.'),
};

/** A rule: one of the two fields of {@link TARGET_FIELDS}. */
export const ONE_TARGET: Rule<object> = atMostOneOf('stsAudience', 'tokenExchange');
