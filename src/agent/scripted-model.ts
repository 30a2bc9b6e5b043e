import { BaseLlm, type BaseLlmConnection, type LlmRequest, type LlmResponse } from '@google/adk';
import type { ScriptedTurn } from '../config/model.ts';

type Content = LlmRequest['contents'][number];

const NO_MORE: ScriptedTurn = { text: 'The script has no further turn.' };

/**
 * A model without a network: it answers each message of the user by the same turns, one after the other. Which comes next is read
 * from the request, so one instance serves any number of users at once.
 */
export class ScriptedModel extends BaseLlm {
  readonly #turns: readonly ScriptedTurn[];

  constructor(model: string, turns: readonly ScriptedTurn[]) {
    super({ model });
    this.#turns = turns;
  }

  override async *generateContentAsync({ contents }: LlmRequest): AsyncGenerator<LlmResponse, void> {
    const asked = contents.findLastIndex(isUserMessage);
    const answered = contents.slice(asked + 1).filter(({ role }) => role === 'model').length;
    const { text, calls = [] } = this.#turns[answered] ?? NO_MORE;
    const parts = [
      ...(text === undefined ? [] : [{ text }]),
      ...calls.map(({ name, args }) => ({ functionCall: { name, args: { ...args } } })),
    ];
    yield { content: { role: 'model', parts: parts.length > 0 ? parts : [{ text: '' }] } };
  }

  override connect(): Promise<BaseLlmConnection> {
    return Promise.reject(new Error('the scripted model has no live connection'));
  }
}

function isUserMessage({ role, parts = [] }: Content): boolean {
  return role === 'user' && parts.some(({ text }) => text !== undefined);
}
