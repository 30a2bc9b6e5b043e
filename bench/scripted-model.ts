// A model without a network: it answers each user message by a script instead of by thinking.
import { BaseLlm, type LlmRequest, type LlmResponse } from '@google/adk';

export interface ScriptedCall {
  name: string;
  args: Record<string, unknown>;
}

/** One answer of the model: a final text, or one or more function calls in one response. */
export type Step = string | readonly ScriptedCall[];

/** Chooses the script for a user message: a function of its text, so a message may just name a script. */
export type ScriptFor = (userMessage: string) => readonly Step[];

type Content = LlmRequest['contents'][number];

/**
 * Which step comes next is read from the request (the function responses since the last user message), so the
 * model keeps no state and one instance serves any number of users and agents at once.
 */
export class ScriptedModel extends BaseLlm {
  readonly #scriptFor: ScriptFor;

  constructor(scriptFor: ScriptFor) {
    super({ model: 'scripted' });
    this.#scriptFor = scriptFor;
  }

  override async *generateContentAsync({ contents }: LlmRequest): AsyncGenerator<LlmResponse, void> {
    const asked = contents.findLastIndex(isUserMessage);
    const text = contents[asked]?.parts?.map((part) => part.text ?? '').join('') ?? '';
    const answered = contents.slice(asked + 1).filter(isFunctionResponse).length;
    const step = this.#scriptFor(text)[answered] ?? 'Done.';
    const parts =
      typeof step === 'string'
        ? [{ text: step }]
        : step.map(({ name, args }) => ({ functionCall: { name, args: { ...args } } }));
    yield { content: { role: 'model', parts } };
  }

  override connect(): Promise<never> {
    return Promise.reject(new Error('the scripted model has no live connection'));
  }
}

function isFunctionResponse(content: Content): boolean {
  return content.parts?.some((part) => part.functionResponse !== undefined) ?? false;
}

function isUserMessage(content: Content): boolean {
  return content.role === 'user' && (content.parts?.some((part) => part.text !== undefined) ?? false);
}
