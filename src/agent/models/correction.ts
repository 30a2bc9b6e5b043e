import type { LanguageModelV3Content, LanguageModelV3Message } from '@ai-sdk/provider';
import { argumentsOf, isMalformed } from './answer.ts';

const UNREADABLE = 'Not called: the arguments were not a JSON object. Call the tool again, with valid JSON.';
const HELD_BACK =
  'Not called: another call of the same answer had arguments that were not a JSON object. Call the tool again.';

/**
 * What is said to a model that called a tool with arguments that cannot be read: that none of its calls was made, and why. A tool is
 * never called with other arguments than the model gave.
 */
export function correction(content: readonly LanguageModelV3Content[]): readonly LanguageModelV3Message[] {
  const calls = content.filter((part) => part.type === 'tool-call');
  const texts = content.filter((part) => part.type === 'text').filter(({ text }) => text !== '');
  return [
    {
      role: 'assistant',
      content: [
        ...texts.map(({ text }) => ({ type: 'text' as const, text })),
        ...calls.map((call) => ({
          type: 'tool-call' as const,
          toolCallId: call.toolCallId,
          toolName: call.toolName,
          input: argumentsOf(call) ?? {},
        })),
      ],
    },
    {
      role: 'tool',
      content: calls.map((call) => ({
        type: 'tool-result' as const,
        toolCallId: call.toolCallId,
        toolName: call.toolName,
        output: { type: 'error-text' as const, value: isMalformed(call) ? UNREADABLE : HELD_BACK },
      })),
    },
  ];
}
