import type {
  LanguageModelV3Content,
  LanguageModelV3FinishReason,
  LanguageModelV3ToolCall,
  LanguageModelV3Usage,
} from '@ai-sdk/provider';
import type { LlmResponse } from '@google/adk';
import type { Part } from './calls.ts';
import { withMetadata } from './part-metadata.ts';

/** What a provider answered, once all of it is there. */
export interface Answer {
  readonly content: readonly LanguageModelV3Content[];
  readonly finishReason: LanguageModelV3FinishReason;
  /** One for each request that was made for it. */
  readonly usages: readonly LanguageModelV3Usage[];
  /** Version of the model, as the provider names it. */
  readonly modelId?: string | undefined;
}

/** Google's names; `error` and `other` are one to it. */
const FINISH_REASONS: Readonly<Record<LanguageModelV3FinishReason['unified'], string>> = {
  stop: 'STOP',
  'tool-calls': 'STOP',
  length: 'MAX_TOKENS',
  'content-filter': 'SAFETY',
  error: 'OTHER',
  other: 'OTHER',
};

/** The whole answer, as ADK takes it; one that ended without saying anything, and not by itself, is an error. */
export function toLlmResponse({ content, finishReason, usages, modelId }: Answer): LlmResponse {
  const parts = content.flatMap(toPart);
  const reason = FINISH_REASONS[finishReason.unified];
  const rest: LlmResponse = {
    finishReason: reason as NonNullable<LlmResponse['finishReason']>,
    usageMetadata: usageMetadata(usages),
    partial: false,
    ...(modelId !== undefined && { modelVersion: modelId }),
  };
  if (parts.length === 0 && reason !== 'STOP') {
    return { ...rest, errorCode: reason, errorMessage: `the model ended without an answer: ${reason}` };
  }
  // Nothing to say is an answer too, after tools; ADK takes no content for no answer.
  return { ...rest, content: { role: 'model', parts: parts.length > 0 ? parts : [{ text: '' }] } };
}

/** A tool call whose arguments are no JSON object, which no tool can be called with. */
export function isMalformed(part: LanguageModelV3Content): part is LanguageModelV3ToolCall {
  return part.type === 'tool-call' && argumentsOf(part) === undefined;
}

/** The arguments of a call; nothing at all counts for none. */
export function argumentsOf({ input }: LanguageModelV3ToolCall): Record<string, unknown> | undefined {
  if (input.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(input);
    if (value === null) return {};
    return typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A text that is empty is no part: ADK forgets the whole answer whose first part is one, with its calls. A thought may be
 * empty and still have a signature.
 */
function toPart(part: LanguageModelV3Content): readonly Part[] {
  const more = withMetadata(part.providerMetadata);
  switch (part.type) {
    case 'text':
      return part.text === '' ? [] : [{ text: part.text, ...more }];
    case 'reasoning':
      if (part.text === '' && more === undefined) return [];
      return [{ thought: true, ...(part.text !== '' && { text: part.text }), ...more }];
    case 'tool-call':
      return [
        {
          functionCall: { id: part.toolCallId, name: part.toolName, args: argumentsOf(part) ?? {} },
          ...more,
        },
      ];
    case 'file':
      return [{ inlineData: { mimeType: part.mediaType, data: base64(part.data) }, ...more }];
    default:
      // Sources, and what the provider's own tools say: none are asked for.
      return [];
  }
}

const base64 = (data: string | Uint8Array): string =>
  typeof data === 'string' ? data : Buffer.from(data).toString('base64');

function usageMetadata(usages: readonly LanguageModelV3Usage[]): NonNullable<LlmResponse['usageMetadata']> {
  const sum = (count: (usage: LanguageModelV3Usage) => number | undefined): number | undefined => {
    const known = usages.map(count).filter((value) => value !== undefined);
    return known.length > 0 ? known.reduce((total, value) => total + value, 0) : undefined;
  };
  const input = sum(({ inputTokens }) => inputTokens.total);
  const output = sum(({ outputTokens }) => outputTokens.total);
  const thoughts = sum(({ outputTokens }) => outputTokens.reasoning);
  const cached = sum(({ inputTokens }) => inputTokens.cacheRead);
  const total = input === undefined && output === undefined ? undefined : (input ?? 0) + (output ?? 0);
  return {
    ...(input !== undefined && { promptTokenCount: input }),
    // Google counts thoughts beside the answer, the providers within it.
    ...(output !== undefined && { candidatesTokenCount: output - (thoughts ?? 0) }),
    ...(thoughts !== undefined && thoughts > 0 && { thoughtsTokenCount: thoughts }),
    ...(cached !== undefined && cached > 0 && { cachedContentTokenCount: cached }),
    ...(total !== undefined && { totalTokenCount: total }),
  };
}
