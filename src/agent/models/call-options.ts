import type { LanguageModelV3CallOptions } from '@ai-sdk/provider';
import type { LlmRequest } from '@google/adk';
import type { ModelSettings } from '../../config/model.ts';
import { fromGoogleSchema, type JsonSchema } from './google-schema.ts';
import { toPrompt } from './prompt.ts';
import { toTools } from './tools.ts';

type Config = NonNullable<LlmRequest['config']>;

/**
 * Puts a request of ADK's as the providers take it. What the request says comes before the settings.
 *
 * @param settings - of the config; fields that the provider does not have are warned of by it
 */
export function toCallOptions(
  request: Pick<LlmRequest, 'contents' | 'config'>,
  settings: ModelSettings,
): LanguageModelV3CallOptions {
  const { config = {} } = request;
  return withoutUndefined({
    prompt: toPrompt(request),
    ...toTools(config),
    temperature: config.temperature ?? settings.temperature,
    maxOutputTokens: config.maxOutputTokens ?? settings.max_tokens,
    topP: config.topP ?? settings.top_p,
    topK: config.topK ?? settings.top_k,
    frequencyPenalty: config.frequencyPenalty ?? settings.frequency_penalty,
    presencePenalty: config.presencePenalty ?? settings.presence_penalty,
    seed: config.seed ?? settings.seed,
    stopSequences: config.stopSequences,
    responseFormat: responseFormat(config),
    providerOptions: providerOptions(settings),
  }) as LanguageModelV3CallOptions;
}

function responseFormat(config: Config): LanguageModelV3CallOptions['responseFormat'] {
  const { responseSchema, responseJsonSchema, responseMimeType } = config;
  const schema = responseJsonSchema ?? (responseSchema && fromGoogleSchema(responseSchema));
  if (schema !== undefined) return { type: 'json', schema: schema as JsonSchema };
  return responseMimeType === 'application/json' ? { type: 'json' } : undefined;
}

/** Those of OpenAI are for Azure and Ollama too; others pass them over. */
function providerOptions({
  reasoning_effort: reasoningEffort,
}: ModelSettings): LanguageModelV3CallOptions['providerOptions'] {
  // A schema of ADK's rarely meets the rules of OpenAI's strict mode, which would refuse it.
  return { openai: { strictJsonSchema: false, ...(reasoningEffort !== undefined && { reasoningEffort }) } };
}

function withoutUndefined(fields: Readonly<Record<string, unknown>>): unknown {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
