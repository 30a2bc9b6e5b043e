import type {
  LanguageModelV3FilePart,
  LanguageModelV3Message,
  LanguageModelV3Prompt,
  LanguageModelV3ReasoningPart,
  LanguageModelV3TextPart,
  LanguageModelV3ToolCallPart,
  LanguageModelV3ToolResultPart,
} from '@ai-sdk/provider';
import type { LlmRequest } from '@google/adk';
import { type Content, isCall, type PairedCalls, type Part, pairCalls } from './calls.ts';
import { keptMetadata } from './part-metadata.ts';

type UserPart = LanguageModelV3TextPart | LanguageModelV3FilePart;
type AssistantPart = UserPart | LanguageModelV3ReasoningPart | LanguageModelV3ToolCallPart;
type SystemInstruction = NonNullable<LlmRequest['config']>['systemInstruction'];

/** What a model is told of a call that nothing is known of: providers refuse a call without a result. */
const UNANSWERED = 'There is no result: the call was broken off, or is waiting for somebody.';

/**
 * Puts a conversation of ADK's as the providers take it. Each call is followed by its result at once; a response to no call is told as
 * text. Thoughts of the model go back to the provider only with what it needs to know them again (`providerMetadata`, such as Anthropic's
 * signatures); all others are left out.
 */
export function toPrompt({
  contents,
  config,
}: Pick<LlmRequest, 'contents' | 'config'>): LanguageModelV3Prompt {
  // Copies, because a part is known by its identity here.
  const turns = contents.map(({ role = 'user', parts = [] }) => ({
    role,
    parts: parts.map((part) => ({ ...part })),
  }));
  const calls = pairCalls(turns);
  const system = systemText(config?.systemInstruction);
  return [
    ...(system === '' ? [] : [{ role: 'system' as const, content: system }]),
    ...turns.flatMap((turn) => (turn.role === 'model' ? modelTurn(turn, calls) : userTurn(turn, calls))),
  ];
}

function modelTurn({ parts = [] }: Content, calls: PairedCalls): readonly LanguageModelV3Message[] {
  const content = parts.flatMap((part) => assistantPart(part, calls));
  const results = parts.filter((part) => calls.ids.has(part)).map((part) => resultOf(part, calls));
  return [
    ...(content.length > 0 ? [{ role: 'assistant' as const, content }] : []),
    ...(results.length > 0 ? [{ role: 'tool' as const, content: results }] : []),
  ];
}

function userTurn({ parts = [] }: Content, calls: PairedCalls): readonly LanguageModelV3Message[] {
  const content = parts.flatMap((part) => (calls.answering.has(part) ? [] : plainPart(part)));
  return content.length > 0 ? [{ role: 'user', content }] : [];
}

function assistantPart(part: Part, { ids, answering }: PairedCalls): readonly AssistantPart[] {
  const { functionCall, thought, text } = part;
  const toolCallId = ids.get(part);
  const kept = keptMetadata(part);
  const more = kept && { providerOptions: kept };
  if (toolCallId !== undefined && isCall('model', part)) {
    const { name = '', args = {} } = functionCall ?? {};
    return [{ type: 'tool-call', toolCallId, toolName: name, input: args, ...more }];
  }
  if (thought === true) return more ? [{ type: 'reasoning', text: text ?? '', ...more }] : [];
  if (answering.has(part)) return [];
  return plainPart(part).map((plain) => ({ ...plain, ...more }));
}

function resultOf(call: Part, { ids, answers }: PairedCalls): LanguageModelV3ToolResultPart {
  const response = answers.get(call)?.functionResponse;
  const named = {
    type: 'tool-result' as const,
    toolCallId: ids.get(call) ?? '',
    toolName: call.functionCall?.name ?? '',
  };
  if (response === undefined) return { ...named, output: { type: 'error-text', value: UNANSWERED } };
  const value = plainJson(response.response ?? {});
  const failed = Object(value).isError === true;
  return { ...named, output: { type: failed ? 'error-json' : 'json', value } };
}

type Json = Extract<LanguageModelV3ToolResultPart['output'], { type: 'json' }>['value'];

/** What can be sent of a value: a tool of the program's own may answer with more than JSON. */
const plainJson = (value: unknown): Json => JSON.parse(JSON.stringify(value) ?? 'null') as Json;

/** A part that is no call, no result of one, and no thought. */
function plainPart(part: Part): readonly UserPart[] {
  const { text, inlineData, fileData, functionCall, functionResponse } = part;
  const said = text ?? part.executableCode?.code ?? part.codeExecutionResult?.output;
  if (said !== undefined) return said === '' ? [] : [{ type: 'text', text: said }];
  if (inlineData) return [inlinePart(inlineData)];
  if (fileData?.fileUri !== undefined) return [filePart(fileData.fileUri, fileData.mimeType)];
  // Neither has its counterpart; what was said with it is not to be lost.
  if (functionCall ?? functionResponse) {
    return [{ type: 'text', text: JSON.stringify(functionCall ?? functionResponse) }];
  }
  return [];
}

function inlinePart({
  mimeType: mediaType = 'application/octet-stream',
  data = '',
  displayName: filename,
}: NonNullable<Part['inlineData']>): UserPart {
  // Every model reads text, but not every provider takes a file of it.
  if (/^text\/|^application\/json\b/.test(mediaType)) {
    const text = Buffer.from(data, 'base64').toString();
    return { type: 'text', text: filename === undefined ? text : `${filename}:\n${text}` };
  }
  return { type: 'file', mediaType, data, ...(filename !== undefined && { filename }) };
}

function filePart(uri: string, mediaType = 'application/octet-stream'): UserPart {
  return URL.canParse(uri) ? { type: 'file', mediaType, data: new URL(uri) } : { type: 'text', text: uri };
}

function systemText(instruction: SystemInstruction): string {
  if (instruction === undefined || instruction === null) return '';
  if (typeof instruction === 'string') return instruction;
  if (Array.isArray(instruction)) return instruction.map(systemText).filter(Boolean).join('\n\n');
  const { parts, text } = instruction as Content & Part;
  return parts === undefined ? (text ?? '') : systemText(parts);
}
