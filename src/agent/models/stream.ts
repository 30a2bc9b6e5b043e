import type { LanguageModelV3Content, LanguageModelV3StreamPart, SharedV3Warning } from '@ai-sdk/provider';
import type { LlmResponse } from '@google/adk';
import type { Answer } from './answer.ts';

type Said = Extract<LanguageModelV3Content, { type: 'text' | 'reasoning' }>;
type Piece = Extract<LanguageModelV3StreamPart, { id: string; type: `${Said['type']}-${string}` }>;
type Finish = Extract<LanguageModelV3StreamPart, { type: 'finish' }>;

/** A stream that ended before its answer did; what it said is not to be acted on. */
export class IncompleteAnswer extends Error {
  override readonly name = 'IncompleteAnswer';
}

/**
 * Reads a provider's stream: yields pieces of text as they come, marked as partial, and returns the whole.
 *
 * @throws IncompleteAnswer, or whatever the stream failed with
 */
export async function* readStream(
  stream: AsyncIterable<LanguageModelV3StreamPart>,
  onWarnings: (warnings: readonly SharedV3Warning[]) => void,
): AsyncGenerator<LlmResponse, Answer> {
  const content: LanguageModelV3Content[] = [];
  const open = new Map<string, Said>();
  let modelId: string | undefined;
  let finish: Finish | undefined;
  for await (const part of stream) {
    switch (part.type) {
      case 'text-start':
      case 'text-delta':
      case 'text-end':
      case 'reasoning-start':
      case 'reasoning-delta':
      case 'reasoning-end': {
        const piece = take(part, open, content);
        if (piece !== undefined) yield piece;
        break;
      }
      case 'tool-call':
      case 'file':
        content.push(part);
        break;
      case 'stream-start':
        onWarnings(part.warnings);
        break;
      case 'response-metadata':
        modelId = part.modelId ?? modelId;
        break;
      case 'error':
        throw part.error;
      case 'finish':
        finish = part;
    }
  }
  if (finish === undefined || isCutOff(finish)) throw new IncompleteAnswer();
  return { content, finishReason: finish.finishReason, usages: [finish.usage], modelId };
}

/** Adds a piece to what it belongs to, and tells of it where there is something to show. */
function take(
  part: Piece,
  open: Map<string, Said>,
  content: LanguageModelV3Content[],
): LlmResponse | undefined {
  const type = part.type.startsWith('text') ? 'text' : 'reasoning';
  const key = `${type} ${part.id}`;
  const before = part.type.endsWith('-start') ? undefined : open.get(key);
  const said: Said = before ?? { type, text: '' };
  if (before === undefined) {
    open.set(key, said);
    content.push(said);
  }
  // Told once: at the start, with a piece that is empty, or at the end.
  if (part.providerMetadata) said.providerMetadata = part.providerMetadata;
  const delta = 'delta' in part ? part.delta : '';
  if (delta === '') return undefined;
  said.text += delta;
  const piece = { text: delta, ...(type === 'reasoning' && { thought: true }) };
  return { content: { role: 'model', parts: [piece] }, partial: true };
}

/** A provider that says why it stops has said all. */
const isCutOff = ({ finishReason: { unified, raw } }: Finish): boolean =>
  unified === 'error' || (unified === 'other' && raw === undefined);
