import * as z from 'zod';
import { neededOnlyWhen } from './needed-when.ts';
import { orNone, textOrNone } from './or-none.ts';
import type { SecretText } from './secret-text.ts';

/** The model; `type` as kagent v0.10 names them, and `scripted`. */
export interface ModelSettings {
  readonly type:
    | 'openai'
    | 'azure_openai'
    | 'anthropic'
    | 'gemini'
    | 'gemini_vertex_ai'
    | 'ollama'
    | 'bedrock'
    | 'scripted';
  readonly model: string;
  /** `file:` or `${}`. Default: the variable that the provider names, e.g. OPENAI_API_KEY. */
  readonly api_key?: SecretText | undefined;
  readonly base_url?: string | undefined;
  readonly headers?: Readonly<Record<string, SecretText>> | undefined;
  readonly temperature?: number | undefined;
  readonly max_tokens?: number | undefined;
  readonly top_p?: number | undefined;
  readonly top_k?: number | undefined;
  readonly frequency_penalty?: number | undefined;
  readonly presence_penalty?: number | undefined;
  readonly seed?: number | undefined;
  readonly reasoning_effort?: string | undefined;
  /** For a whole answer, in seconds. Default: 600. */
  readonly timeout?: number | undefined;
  readonly organization?: string | undefined;
  readonly api_version?: string | undefined;
  readonly project?: string | undefined;
  readonly location?: string | undefined;
  /** The same as `location`, as kagent names it for bedrock. */
  readonly region?: string | undefined;
  readonly tls_insecure_skip_verify?: boolean | undefined;
  readonly tls_ca_cert_path?: string | undefined;
  readonly tls_disable_system_cas?: boolean | undefined;
  readonly turns?: readonly ScriptedTurn[] | undefined;
  readonly scripts?: Readonly<Record<string, readonly ScriptedTurn[]>> | undefined;
}

/** One answer of a scripted model: a text, or calls of tools. */
export interface ScriptedTurn {
  readonly text?: string | undefined;
  readonly calls?:
    | readonly { readonly name: string; readonly args: Readonly<Record<string, unknown>> }[]
    | undefined;
}

const text = z.string().min(1).max(2048);

const turn: z.ZodType<ScriptedTurn> = z.strictObject({
  text: z.string().optional().describe('What the model says.'),
  calls: z
    .array(
      z.strictObject({
        name: text.describe('Tool that the model calls.'),
        args: z.record(z.string(), z.unknown()).default({}).describe('Its arguments.'),
      }),
    )
    .optional()
    .describe('Tools that the model calls, all at once.'),
});

/**
 * Schema of {@link ModelSettings}. Loose: the fields of kagent's models that are not here parse too, and whoever runs the
 * config warns of them by name.
 */
export const modelSettings: z.ZodType<ModelSettings> = z
  .looseObject({
    type: z
      .enum([
        'openai',
        'azure_openai',
        'anthropic',
        'gemini',
        'gemini_vertex_ai',
        'ollama',
        'bedrock',
        'scripted',
      ])
      .describe('Who serves the model; scripted says what turns say.'),
    model: text.describe('Name of the model.'),
    api_key: text.optional().describe('file:/path or ${VARIABLE}. Default: the variable of the provider.'),
    base_url: textOrNone.describe(
      "The provider's API, as its own clients take it: with /v1 for openai and servers that speak as it does. Default: the provider's own, or for ollama http://127.0.0.1:11434.",
    ),
    headers: orNone(z.record(z.string(), z.string())).describe('Header fields sent with each request.'),
    temperature: orNone(z.number().min(0)).describe('Sampling temperature.'),
    max_tokens: orNone(z.int().min(1)).describe('Longest answer, in tokens.'),
    top_p: orNone(z.number().min(0).max(1)).describe(
      'Samples from the likeliest tokens with this probability.',
    ),
    top_k: orNone(z.number().min(0)).describe(
      'Samples from this many tokens (anthropic, bedrock, gemini, gemini_vertex_ai).',
    ),
    frequency_penalty: orNone(z.number()).describe(
      'Makes tokens less likely the more often they were said (all but anthropic and bedrock).',
    ),
    presence_penalty: orNone(z.number()).describe(
      'Makes tokens less likely that were said (all but anthropic and bedrock).',
    ),
    seed: orNone(z.int()).describe(
      'Makes answers repeatable, as far as the provider can (all but anthropic and bedrock).',
    ),
    reasoning_effort: textOrNone.describe(
      'How much the model thinks, e.g. low, medium, high (openai, azure_openai, ollama).',
    ),
    timeout: orNone(z.number().min(1).max(86_400)).describe(
      'Longest time for a whole answer, in seconds. Default: 600.',
    ),
    organization: textOrNone.describe('Organization that pays (openai).'),
    api_version: textOrNone.describe('Version of the API (azure_openai).'),
    project: textOrNone.describe('Google Cloud project (gemini_vertex_ai).'),
    location: textOrNone.describe('Location (gemini_vertex_ai) or region (bedrock).'),
    region: textOrNone.describe('Region (bedrock); the same as location.'),
    tls_insecure_skip_verify: orNone(z.boolean()).describe('Takes any certificate. For trials only.'),
    tls_ca_cert_path: textOrNone.describe('PEM file of CAs that are trusted beside those of the system.'),
    tls_disable_system_cas: orNone(z.boolean()).describe('Trusts only the CAs of that file.'),
    turns: z.array(turn).optional().describe('The answers to each message, in order (scripted).'),
    scripts: z
      .record(z.string(), z.array(turn))
      .optional()
      .describe('The answers to messages with just this text, in the place of turns (scripted).'),
  })
  .refine(({ type, turns }) => (type === 'scripted') === (turns !== undefined), {
    path: ['turns'],
    message: 'is needed for the type scripted, and for no other',
  })
  .refine(({ type, scripts }) => type === 'scripted' || scripts === undefined, {
    path: ['scripts'],
    message: 'is for the type scripted, and for no other',
  })
  .meta({ ...neededOnlyWhen('type', 'scripted', ['turns']) });
