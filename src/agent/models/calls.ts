import type { LlmRequest } from '@google/adk';

export type Content = LlmRequest['contents'][number];
export type Part = NonNullable<Content['parts']>[number];

/** Which call is which in a conversation, and what answered it. */
export interface PairedCalls {
  /** Ids as the provider is to see them, by the part of the call; each is there once. */
  readonly ids: ReadonlyMap<Part, string>;
  /** The part that answers, by the part of the call. */
  readonly answers: ReadonlyMap<Part, Part>;
  /** Parts that answer a call. */
  readonly answering: ReadonlySet<Part>;
}

interface OpenCall {
  readonly part: Part;
  readonly id: string | undefined;
  readonly name: string | undefined;
}

/** What every provider takes for an id. */
const ID = /^[\w-]{1,64}$/;

/**
 * Finds the answer of each call. ADK takes away the ids that it gave itself, so these calls are told apart by their names and their
 * order. Two calls of different answers may have one id, which some providers refuse: the later one gets another.
 */
export function pairCalls(contents: readonly Content[]): PairedCalls {
  const ids = new Map<Part, string>();
  const answers = new Map<Part, Part>();
  const open: OpenCall[] = [];
  const taken = new Set(contents.flatMap(({ parts = [] }) => parts.map(idOf)).filter(isText));
  const given = new Set<string>();
  let made = 0;
  const fresh = (): string => {
    do made += 1;
    while (taken.has(`call_${made}`));
    return `call_${made}`;
  };
  for (const { role, parts = [] } of contents) {
    for (const part of parts) {
      const { functionCall: call, functionResponse: response } = part;
      if (isCall(role, part)) {
        const id = call?.id;
        const own = id !== undefined && ID.test(id) && !given.has(id) ? id : fresh();
        given.add(own);
        ids.set(part, own);
        open.push({ part, id, name: call?.name });
      } else if (response !== undefined) {
        const index = open.findLastIndex(({ id }) => id !== undefined && id === response.id);
        const [call] = open.splice(index < 0 ? nameless(open, response) : index, 1);
        if (call !== undefined) answers.set(call.part, part);
      }
    }
  }
  return { ids, answers, answering: new Set(answers.values()) };
}

/** Only what the model said is a call: a caller may put one into a message. */
export const isCall = (role: string | undefined, { functionCall }: Part): boolean =>
  role === 'model' && functionCall !== undefined;

/** The first call without an id that has the name; past the end where there is none. */
function nameless(open: readonly OpenCall[], { name }: { readonly name?: string | undefined }): number {
  const index = open.findIndex((call) => call.id === undefined && call.name === name);
  return index < 0 ? open.length : index;
}

const idOf = ({ functionCall, functionResponse }: Part): string | undefined =>
  functionCall?.id ?? functionResponse?.id;

const isText = (value: string | undefined): value is string => value !== undefined;
