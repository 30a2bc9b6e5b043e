import fc from 'fast-check';
import { type AnswerBend, answerBend, bentAnswer, RIGHT, responseOf } from './answers.ts';
import type { Answer, Asked } from './reference.ts';
import { SUBJECTS } from './world.ts';

/** What a request comes to: an answer, or something that is none. */
export type Reply = { readonly bend: AnswerBend } | { readonly fault: keyof typeof FAULTS };

const streamOf = (...chunks: readonly unknown[]): ReadableStream =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

const circular = (): Error => {
  const error = new Error('it leads to itself');
  error.cause = error;
  return error;
};

const thrown = (error: unknown) => async (): Promise<Response> => {
  throw error;
};

/** Whatever a `fetch`, which may be the user's own, can do but answer. */
const FAULTS = {
  'is not reached': thrown(
    new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }) }),
  ),
  'tells what was sent': thrown(new Error(`could not send ${SUBJECTS[0]?.token}`)),
  'has a secret for a code': thrown(Object.assign(new Error(), { code: `E_${SUBJECTS[0]?.token}` })),
  'throws text': thrown('some text'),
  'throws nothing': thrown(undefined),
  'throws null': thrown(null),
  'throws what leads to itself': thrown(circular()),
  'throws an abort': thrown(new DOMException('aborted', 'AbortError')),
  'gives nothing': async () => undefined as never,
  'gives no Response': async () => ({ status: 200, headers: {}, body: null }) as never,
  'gives an error Response': async () => Response.error(),
  'breaks off': async () =>
    new Response(
      new ReadableStream({
        pull(controller) {
          controller.error(new Error('it broke off'));
        },
      }),
    ),
  'gives text in a stream': async () => new Response(streamOf('{}', 5, null)),
  'gives a body that was read': async () => {
    const response = new Response('{}');
    await response.text();
    return response;
  },
  'gives more than is read': async () =>
    new Response(streamOf(Buffer.alloc(70_000, ' '), Buffer.alloc(70_000, ' '))),
} as const satisfies Readonly<Record<string, () => Promise<Response>>>;

export const reply: fc.Arbitrary<Reply> = fc.oneof(
  { arbitrary: fc.constant({ bend: RIGHT }), weight: 4 },
  { arbitrary: answerBend.map((bend) => ({ bend })), weight: 12 },
  fc.constantFrom(...(Object.keys(FAULTS) as (keyof typeof FAULTS)[])).map((fault) => ({ fault })),
);

/** What was served: the answer, if it was one, with the token that it holds. */
export type Served = (Answer & { readonly token: string }) | undefined;

/** Makes the reply to a request for this; returns what was served, too. */
export function serve(
  given: Reply,
  asked: Asked,
): { readonly response: Promise<Response>; readonly served: Served } {
  if ('fault' in given) return { response: FAULTS[given.fault](), served: undefined };
  const served = bentAnswer(asked, given.bend);
  return { response: Promise.resolve(responseOf(served)), served };
}
