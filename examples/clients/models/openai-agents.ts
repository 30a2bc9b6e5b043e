// A model without a network, for the examples: it calls every tool that it is offered, then says what they said.
import { type AgentOutputItem, type Model, type ModelRequest, Usage } from '@openai/agents';

export const scriptedModel: Model = {
  getResponse: async ({ input, tools }) => {
    const said = toolResults(input);
    const output = said.length > 0 ? [saying(said.join('; '))] : tools.map(({ name }) => calling(name));
    return { output, usage: new Usage() };
  },
  getStreamedResponse() {
    throw new Error('this model does not stream');
  },
};

function toolResults(input: ModelRequest['input']): string[] {
  if (typeof input === 'string') return [];
  return input.flatMap((item) => (item.type === 'function_call_result' ? texts(item.output) : []));
}

function texts(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = 'text' in value && typeof value.text === 'string' ? [value.text] : [];
  return [...own, ...Object.values(value).flatMap(texts)];
}

const saying = (text: string): AgentOutputItem => ({
  ...({ type: 'message', role: 'assistant', status: 'completed' } as const),
  content: [{ type: 'output_text', text }],
});

const calling = (name: string): AgentOutputItem => ({
  ...({ type: 'function_call', status: 'completed', arguments: '{}' } as const),
  name,
  callId: `call-${name}`,
});
