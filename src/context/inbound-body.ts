import type { Delegation } from '../broker/delegation.ts';
import { runAs } from './carrier.ts';

/** The run that an answer belongs to. */
interface Run {
  readonly delegation: Delegation;
  /** Ends the run; ending twice does nothing. */
  readonly end: () => void;
}

/**
 * The same response, whose body is made under the delegation whenever it is read, and whose end is the run's end: read
 * to the end, cancelled or failed. Without a body the run ends at once.
 *
 * @param method - of the request: nobody reads, or cancels, what would be the body of an answer to `HEAD`
 */
export function lasting(response: Response, method: string, run: Run): Response {
  const { body } = response;
  if (body === null) {
    run.end();
    return response;
  }
  if (method !== 'HEAD') return new Response(bound(body, run), response);
  leave(body.getReader(), undefined, run).catch(() => {});
  return new Response(null, response);
}

function bound(body: ReadableStream<Uint8Array>, run: Run): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await runAs(run.delegation, () => reader.read());
          if (!done) return controller.enqueue(value);
          run.end();
          controller.close();
        } catch (error) {
          run.end();
          throw error;
        }
      },
      cancel: (reason) => leave(reader, reason, run),
    },
    // Nothing is made before somebody wants it.
    { highWaterMark: 0 },
  );
  unread.register(stream, run.end);
  return stream;
}

/** An answer that was put aside for another one is read by nobody. Its run ends when it is collected. */
const unread = new FinalizationRegistry<() => void>((end) => end());

function leave(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  reason: unknown,
  { delegation, end }: Run,
): Promise<void> {
  const left = runAs(delegation, () => reader.cancel(reason));
  // Not when it has been left: cleaning up may hang.
  end();
  return left;
}
