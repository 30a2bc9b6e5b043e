import * as z from 'zod';

/** What the tokens for a server are for; see `Target` of the library. */
export interface TargetConfig {
  readonly token_service?: string | undefined;
  readonly audiences?: readonly string[] | undefined;
  readonly resources?: readonly string[] | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly requested_token_type?: string | undefined;
  readonly profile?: 'rfc8693' | 'entra-obo' | 'id-jag' | undefined;
}

/** At most one of the two; neither: the server gets no delegated token. */
export interface TargetFields {
  readonly sts_audience?: string | undefined;
  readonly token_exchange?: TargetConfig | undefined;
}

const text = z.string().min(1).max(2048);

const targetConfig: z.ZodType<TargetConfig> = z
  .strictObject({
    token_service: text
      .optional()
      .describe('Name of an entry of the root token_exchange.token_services. Default: its default one.'),
    audiences: z
      .array(text)
      .min(1)
      .optional()
      .describe('audience parameters of the exchange (RFC 8693 section 2.1).'),
    resources: z
      .array(text)
      .min(1)
      .optional()
      .describe('resource parameters of the exchange: URIs (RFC 8707).'),
    scopes: z.array(text).min(1).optional().describe('Scopes that are asked for (RFC 6749 section 3.3).'),
    requested_token_type: text
      .optional()
      .describe('Type identifier of the token that is asked for (RFC 8693 section 3).'),
    profile: z
      .enum(['rfc8693', 'entra-obo', 'id-jag'])
      .optional()
      .describe("How the token is got. Default: the token service's."),
  })
  .refine(({ audiences, resources, scopes }) => audiences ?? resources ?? scopes, {
    message: 'at least one of audiences, resources and scopes must be given',
  })
  .meta({ anyOf: [{ required: ['audiences'] }, { required: ['resources'] }, { required: ['scopes'] }] });

/** The two fields, for the schema of whatever tokens are made for. */
export const TARGET_FIELDS: {
  readonly sts_audience: z.ZodOptional<z.ZodString>;
  readonly token_exchange: z.ZodOptional<z.ZodType<TargetConfig>>;
} = {
  sts_audience: text
    .optional()
    .describe(
      'Audience of the tokens: short for token_exchange with this one audience. Give one of the two.',
    ),
  token_exchange: targetConfig
    .optional()
    .describe(
      'What the tokens are for: at least one of audiences, resources and scopes. Give this or sts_audience; neither: no delegated token is sent.',
    ),
};

/** Whether the rule of {@link TargetFields} is kept. */
export function hasOneTarget(value: TargetFields): boolean {
  return value.sts_audience === undefined || value.token_exchange === undefined;
}

/** The same rule in JSON Schema. */
export const ONE_TARGET_SCHEMA: { readonly not: object } = {
  not: { required: ['sts_audience', 'token_exchange'] },
};

/** What to say when it is not. */
export const ONE_TARGET = 'give one of sts_audience and token_exchange, not both';
