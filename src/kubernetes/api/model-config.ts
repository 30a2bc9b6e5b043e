import * as z from 'zod';
import {
  type Condition,
  conditions,
  dataKey,
  httpUrl,
  line,
  type ObjectMeta,
  objectName,
  observedGeneration,
  textMap,
} from './meta.ts';
import { type TlsSpec, tlsSpec } from './references.ts';
import { together, withRules } from './rules.ts';

/** Who serves the model. */
export type ModelProvider =
  | 'Gemini'
  | 'GeminiVertexAI'
  | 'OpenAI'
  | 'AzureOpenAI'
  | 'Anthropic'
  | 'Ollama'
  | 'Bedrock'
  | 'Scripted';

/** One answer of a scripted model: a text, or calls of tools. */
export interface ScriptedTurn {
  readonly text?: string | undefined;
  readonly calls?: readonly ScriptedCall[] | undefined;
}

/** One call of a tool by a scripted model. */
export interface ScriptedCall {
  readonly name: string;
  /** Arguments as JSON text. */
  readonly arguments?: string | undefined;
}

/** A model and how it is reached. */
export interface ModelConfigSpec {
  readonly provider: ModelProvider;
  readonly model: string;
  readonly apiKeySecret?: string | undefined;
  readonly apiKeySecretKey?: string | undefined;
  readonly baseURL?: string | undefined;
  readonly defaultHeaders?: Readonly<Record<string, string>> | undefined;
  readonly temperature?: string | undefined;
  readonly maxTokens?: number | undefined;
  /** For AzureOpenAI. */
  readonly apiVersion?: string | undefined;
  /** For GeminiVertexAI. */
  readonly project?: string | undefined;
  /** For GeminiVertexAI: location; for Bedrock: region. */
  readonly location?: string | undefined;
  readonly tls?: TlsSpec | undefined;
  /** For Scripted. */
  readonly turns?: readonly ScriptedTurn[] | undefined;
}

/** What the controller has found out about a model. */
export interface ModelConfigStatus {
  readonly observedGeneration?: number | undefined;
  readonly conditions?: readonly Condition[] | undefined;
}

/** A model for agents of its namespace. */
export interface ModelConfig {
  readonly apiVersion: string;
  readonly kind: 'ModelConfig';
  readonly metadata: ObjectMeta;
  readonly spec: ModelConfigSpec;
  readonly status?: ModelConfigStatus | undefined;
}

const turn: z.ZodType<ScriptedTurn> = z.strictObject({
  text: z.string().max(8192).optional().describe('What the model says.'),
  calls: z
    .array(
      z.strictObject({
        name: line(256).describe('Tool that the model calls.'),
        arguments: z
          .string()
          .max(8192)
          .optional()
          .describe('Its arguments, as a JSON object. Default: none.'),
      }),
    )
    .max(16)
    .optional()
    .describe('Tools that the model calls, all at once.'),
});

/** Schema of {@link ModelConfigSpec}. */
export const modelConfigSpec: z.ZodType<ModelConfigSpec> = withRules(
  z.strictObject({
    provider: z
      .enum([
        'Gemini',
        'GeminiVertexAI',
        'OpenAI',
        'AzureOpenAI',
        'Anthropic',
        'Ollama',
        'Bedrock',
        'Scripted',
      ])
      .describe('Who serves the model. Scripted says what turns say: for demos and tests.'),
    model: line(256).describe('Name of the model, as the provider knows it.'),
    apiKeySecret: objectName.optional().describe('Secret with the API key, in the namespace of this object.'),
    apiKeySecretKey: dataKey.optional().describe('Key of that Secret.'),
    baseURL: httpUrl.optional().describe("The provider's API. Default: its own."),
    defaultHeaders: textMap(32, 8192)
      .optional()
      .describe('Header fields sent with each request, in plain sight.'),
    temperature: z
      .string()
      .max(8)
      .regex(/^[0-9]+([.][0-9]+)?$/)
      .optional()
      .describe('Sampling temperature, e.g. "0.2". Default: as the provider says.'),
    maxTokens: z.int().min(1).max(10_000_000).optional().describe('Longest answer, in tokens.'),
    apiVersion: line(64).optional().describe('Version of the API; for AzureOpenAI.'),
    project: line(256).optional().describe('Google Cloud project; for GeminiVertexAI.'),
    location: line(256).optional().describe('Location (GeminiVertexAI) or region (Bedrock).'),
    tls: tlsSpec,
    turns: z.array(turn).max(64).optional().describe('The answers, in order; for Scripted.'),
  }),
  [
    together('apiKeySecret', 'apiKeySecretKey'),
    {
      cel: "(self.provider == 'Scripted') == has(self.turns)",
      message: 'turns is needed for the provider Scripted, and for no other',
      holds: ({ provider, turns }) => (provider === 'Scripted') === (turns !== undefined),
    },
    {
      cel: "self.provider != 'GeminiVertexAI' || (has(self.project) && has(self.location))",
      message: 'GeminiVertexAI needs project and location',
      holds: ({ provider, project, location }) =>
        provider !== 'GeminiVertexAI' || (project !== undefined && location !== undefined),
    },
    {
      cel: "self.provider != 'AzureOpenAI' || has(self.baseURL)",
      message: 'AzureOpenAI needs baseURL',
      holds: ({ provider, baseURL }) => provider !== 'AzureOpenAI' || baseURL !== undefined,
    },
  ],
).describe('Which model it is, and how it is reached.');

/** Schema of {@link ModelConfigStatus}. */
export const modelConfigStatus: z.ZodType<ModelConfigStatus> = z.object({ observedGeneration, conditions });
