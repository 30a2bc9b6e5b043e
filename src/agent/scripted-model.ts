import { BaseLlm, type BaseLlmConnection, type LlmRequest, type LlmResponse } from '@google/adk';
import type { ScriptedTurn } from '../config/model.ts';

type Content = LlmRequest['contents'][number];

const NO_MORE: ScriptedTurn = { text: 'The script has no further turn.' };

type Turns = readonly ScriptedTurn[];

/**
 * A model without a network: it answers each message of the user by the same turns, one after the other, and one with just the text of
 * a script by those of that script. Which comes next is read from the request, so one instance serves any number of users at once.
 */
export class ScriptedModel extends BaseLlm {
  readonly #turns: Turns;
  readonly #scripts: ReadonlyMap<string, Turns>;

  constructor(model: string, turns: Turns, scripts: Readonly<Record<string, Turns>> = {}) {
    super({ model });
    this.#turns = turns;
    this.#scripts = new Map(Object.entries(scripts));
  }

  override async *generateContentAsync({ contents }: LlmRequest): AsyncGenerator<LlmResponse, void> {
    const asked = contents.findLastIndex(isUserMessage);
    const answered = contents.slice(asked + 1).filter(({ role }) => role === 'model').length;
    const turns = this.#scripts.get(textOf(contents[asked])) ?? this.#turns;
    const { text, calls = [] } = turns[answered] ?? NO_MORE;
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

const textOf = (content: Content | undefined): string =>
  content?.parts?.map(({ text = '' }) => text).join('') ?? '';

function isUserMessage({ role, parts = [] }: Content): boolean {
  return role === 'user' && parts.some(({ text }) => text !== undefined);
}
