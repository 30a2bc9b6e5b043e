// A model without a network, for the examples: it calls every tool that it is offered, then says what they said.
import type { LanguageModelV4GenerateResult, LanguageModelV4Prompt } from '@ai-sdk/provider';
import { MockLanguageModelV4 } from 'ai/test';

export const scriptedModel = new MockLanguageModelV4({
  doGenerate: async ({ prompt, tools = [] }) => {
    const said = toolResults(prompt);
    if (said.length > 0) return result('stop', [{ type: 'text', text: said.join('; ') }]);
    const calls = tools.map(({ name }) => ({
      ...({ type: 'tool-call', toolCallId: `call-${name}`, toolName: name, input: '{}' } as const),
    }));
    return result('tool-calls', calls);
  },
});

function toolResults(prompt: LanguageModelV4Prompt): string[] {
  return prompt.flatMap((message) => {
    if (message.role !== 'tool') return [];
    return message.content.flatMap((part) => (part.type === 'tool-result' ? texts(part.output) : []));
  });
}

/** Every text in a tool's result, wherever the framework has put it. */
function texts(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { text, value: said } = value as { text?: unknown; value?: unknown };
  const own = [text, said].filter((each) => typeof each === 'string');
  return [...own, ...Object.values(value).flatMap(texts)];
}

function result(
  unified: 'stop' | 'tool-calls',
  content: LanguageModelV4GenerateResult['content'],
): LanguageModelV4GenerateResult {
  const inputTokens = { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 };
  const usage = { inputTokens, outputTokens: { total: 1, text: 1, reasoning: 0 } };
  return { content, finishReason: { unified, raw: undefined }, usage, warnings: [] };
}
