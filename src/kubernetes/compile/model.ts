import type { ScriptedTurn as ConfigTurn, ModelSettings } from '../../config/model.ts';
import { literalText } from '../../config/secret-text.ts';
import type { ModelConfigSpec, ModelProvider, ScriptedTurn } from '../api/model-config.ts';
import { atAgent, type Context } from './context.ts';
import { type At, below } from './report.ts';
import { compileTls } from './tls.ts';
import { checkUrl } from './url.ts';

interface Provider {
  readonly type: ModelSettings['type'];
  /** Variable of the environment that the provider's own clients take the API key from. */
  readonly variable: string;
}

const PROVIDERS: Readonly<Record<ModelProvider, Provider>> = {
  Anthropic: { type: 'anthropic', variable: 'ANTHROPIC_API_KEY' },
  AzureOpenAI: { type: 'azure_openai', variable: 'AZURE_OPENAI_API_KEY' },
  Bedrock: { type: 'bedrock', variable: 'AWS_BEARER_TOKEN_BEDROCK' },
  Gemini: { type: 'gemini', variable: 'GOOGLE_API_KEY' },
  GeminiVertexAI: { type: 'gemini_vertex_ai', variable: 'GOOGLE_API_KEY' },
  Ollama: { type: 'ollama', variable: 'OLLAMA_API_KEY' },
  OpenAI: { type: 'openai', variable: 'OPENAI_API_KEY' },
  Scripted: { type: 'scripted', variable: 'SCRIPTED_API_KEY' },
};

/** The model of a declarative agent, from its own namespace; its API key comes to the pod as a variable. */
export function compileModel(context: Context, name: string): ModelSettings | undefined {
  const reference = { namespace: context.namespace, name };
  const model = context.find('ModelConfig', reference, atAgent(context, 'spec.declarative.modelConfig'));
  if (model === undefined) return undefined;
  const { spec } = model;
  const at: At = { object: { kind: 'ModelConfig', ...reference }, field: 'spec' };
  if (spec.baseURL !== undefined) checkUrl(context, { url: spec.baseURL, at: below(at, 'baseURL') });
  return {
    type: PROVIDERS[spec.provider].type,
    model: spec.model,
    api_key: apiKeyOf(context, spec, at),
    base_url: spec.baseURL,
    headers: headersOf(spec),
    temperature: spec.temperature === undefined ? undefined : Number(spec.temperature),
    max_tokens: spec.maxTokens,
    api_version: spec.apiVersion,
    project: spec.project,
    location: spec.location,
    ...compileTls(context, spec.tls, below(at, 'tls')),
    turns: spec.turns?.map((turn, index) => turnOf(context, turn, below(below(at, 'turns'), index))),
  };
}

function apiKeyOf(
  { pod }: Context,
  { provider, apiKeySecret: name, apiKeySecretKey: key }: ModelConfigSpec,
  at: At,
): string | undefined {
  if (name === undefined || key === undefined) return undefined;
  const { variable } = PROVIDERS[provider];
  const nameAt = below(at, 'apiKeySecret');
  pod.variable(variable, { kind: 'Secret', name, key, nameAt, keyAt: below(at, 'apiKeySecretKey') });
  return `\${${variable}}`;
}

function headersOf({ defaultHeaders = {} }: ModelConfigSpec): ModelSettings['headers'] {
  const fields = Object.entries(defaultHeaders).sort(([one], [other]) => (one < other ? -1 : 1));
  if (fields.length === 0) return undefined;
  return Object.fromEntries(fields.map(([name, value]) => [name, literalText(value)]));
}

function turnOf(context: Context, { text, calls }: ScriptedTurn, at: At): ConfigTurn {
  return {
    text,
    calls: calls?.map(({ name, arguments: args = '{}' }, index) => {
      const value = objectOf(args);
      if (value === undefined) {
        const here = below(below(below(at, 'calls'), index), 'arguments');
        context.report(here, 'Invalid', 'must be the text of a JSON object, e.g. {"day":"monday"}');
      }
      return { name, args: value ?? {} };
    }),
  };
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
