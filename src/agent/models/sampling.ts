import type { LlmRequest } from '@google/adk';
import type { ModelSettings } from '../../config/model.ts';

type Sampling = Pick<
  NonNullable<LlmRequest['config']>,
  'temperature' | 'maxOutputTokens' | 'topP' | 'topK' | 'frequencyPenalty' | 'presencePenalty' | 'seed'
>;

/** What the config says of how answers are made, as ADK puts it into each request. */
export function samplingOf(settings: ModelSettings): Sampling {
  const fields = {
    temperature: settings.temperature,
    maxOutputTokens: settings.max_tokens,
    topP: settings.top_p,
    topK: settings.top_k,
    frequencyPenalty: settings.frequency_penalty,
    presencePenalty: settings.presence_penalty,
    seed: settings.seed,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
