import { OnbehalfError } from '../core/errors.ts';

/** Largest answer of a server, and largest event of a stream, in bytes. A stream as a whole may go on. */
export const MAX_ANSWER_BYTES = 16_777_216;

/** How the body of an answer is bounded. */
export interface AnswerBounds {
  /** Names the server in errors. */
  readonly server: string;
  /** Longest silence of an event stream, in milliseconds. Default: none. */
  readonly silenceMs?: number | undefined;
  /**
   * Id of the JSON-RPC request that is answered: a stream that goes beyond its bounds ends with an error for it, for clients wait
   * on for an answer when a stream only breaks off. `undefined` where there is none.
   */
  readonly requestId: () => unknown;
}

type Controller = ReadableStreamDefaultController<Uint8Array>;

/**
 * An answer whose body can neither fill the memory nor be silent for ever: beyond its bounds it is given up, with
 * OnbehalfError `server_failed`, or in an event stream with that error's message as JSON-RPC.
 */
export function boundedResponse(response: Response, bounds: AnswerBounds): Response {
  const { body, headers, status } = response;
  // A Response with a body has no other status.
  if (!body || (status >= 300 && status < 400)) return response;
  const isStream = headers.get('content-type')?.trim().toLowerCase().startsWith('text/event-stream') === true;
  const reader = body.getReader();
  const count = isStream ? eventSize() : wholeSize();
  const fail = (controller: Controller, error: OnbehalfError): void => {
    void reader.cancel(error).catch(() => {});
    const id = isStream ? bounds.requestId() : undefined;
    if (id === undefined) {
      controller.error(error);
      return;
    }
    controller.enqueue(new TextEncoder().encode(`\n\n${errorEvent(id, error.message)}`));
    controller.close();
  };
  const silenceMs = isStream ? bounds.silenceMs : undefined;
  const bounded = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const read = await withinSilence(reader, silenceMs);
        if (read === 'silent') return fail(controller, silent(bounds.server, silenceMs));
        if (read.done) return controller.close();
        if (count(read.value) > MAX_ANSWER_BYTES) return fail(controller, tooLarge(bounds.server, isStream));
        controller.enqueue(read.value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return new Response(bounded, { status: Math.min(status, 599), headers });
}

/** A JSON-RPC error as an event of a stream. */
export function errorEvent(id: unknown, message: string): string {
  const error = { code: -32_000, message };
  return `event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, error })}\n\n`;
}

type Read = Awaited<ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']>>;

async function withinSilence(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  silenceMs: number | undefined,
): Promise<Read | 'silent'> {
  if (silenceMs === undefined) return reader.read();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<'silent'>((resolve) => {
    timer = setTimeout(() => resolve('silent'), silenceMs);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } finally {
    clearTimeout(timer);
  }
}

function wholeSize(): (chunk: Uint8Array) => number {
  let size = 0;
  return (chunk) => {
    size += chunk.byteLength;
    return size;
  };
}

/** The size of the largest event that a chunk is a part of, as far as it has come. */
function eventSize(): (chunk: Uint8Array) => number {
  let size = 0;
  let line = 0;
  return (chunk) => {
    let largest = 0;
    for (const byte of chunk) {
      size += 1;
      if (byte === LF) {
        if (size > largest) largest = size;
        // An empty line ends an event.
        if (line === 0) size = 0;
        line = 0;
      } else if (byte !== CR) line += 1;
    }
    return Math.max(largest, size);
  };
}

const LF = 10;
const CR = 13;

function tooLarge(server: string, isStream: boolean): OnbehalfError {
  const what = isStream ? 'sent an event' : 'answered';
  return new OnbehalfError('server_failed', `${server} ${what} with more than ${MAX_ANSWER_BYTES} bytes`, {
    failure: 'misconfigured',
    retryable: false,
  });
}

function silent(server: string, silenceMs: number | undefined): OnbehalfError {
  const message = `${server} was silent for ${silenceMs} ms; whether the call was carried out is not known`;
  return new OnbehalfError('server_failed', message, { failure: 'unavailable', retryable: false });
}
