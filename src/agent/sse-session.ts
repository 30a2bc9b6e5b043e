import { OnbehalfError } from '../core/errors.ts';
import { errorEvent, MAX_ANSWER_BYTES } from './bounded-response.ts';
import { readEvents, type StreamEvent } from './event-stream.ts';

/** A session at a server of the transport of before 2025-03-26: one event stream, with the answers to all requests. */
export interface SseSession {
  /** Where messages are posted to. */
  readonly endpoint: string;
  /** The events that answer a request, up to its answer, as Streamable HTTP sends them. */
  answersTo(id: unknown, signal: AbortSignal | undefined): Response;
  /** Forgets a request that was not taken. */
  forget(id: unknown): void;
  /** What the server says of its own accord; `undefined` when somebody listens already. */
  listen(signal: AbortSignal | undefined): Response | undefined;
  /** Whether its event stream has ended. */
  readonly ended: boolean;
  /** Whether anybody waits for an event. */
  readonly busy: boolean;
  close(): void;
}

/** Options of {@link openSseSession}. */
export interface SseSessionOptions {
  /** Names the server in errors. */
  readonly server: string;
  /** URL of the event stream. */
  readonly url: string;
  /** The event stream, as it was answered. Its events are bounded. */
  readonly body: ReadableStream<Uint8Array>;
  /** Cuts the stream off. */
  readonly cut: () => void;
  readonly onClosed: () => void;
}

/** Somebody who reads events. */
interface Reader {
  /** Returns whether they are read. */
  say(text: string): boolean;
  end(text?: string): void;
}

const encoder = new TextEncoder();

/**
 * Waits for the server to name its endpoint, and gives the session.
 *
 * @throws OnbehalfError `url_not_pinned` when the endpoint is none that tokens may go to, `server_failed`
 */
export async function openSseSession(options: SseSessionOptions): Promise<SseSession> {
  const { server, url, cut } = options;
  const events = readEvents(options.body);
  try {
    for (;;) {
      const { value, done } = await events.next();
      if (done) throw broken(`${server} opened no session: its event stream named no endpoint`);
      if (value.event === 'endpoint')
        return sessionOf(options, events, pinnedEndpoint(value.data, url, server));
    }
  } catch (error) {
    cut();
    throw error;
  }
}

function sessionOf(
  { server, cut, onClosed }: SseSessionOptions,
  events: AsyncGenerator<StreamEvent, void>,
  endpoint: string,
): SseSession {
  /** By the id of the request, as JSON: 1 and "1" are two. */
  const waiting = new Map<string, Reader>();
  let listener: Reader | undefined;
  let over = false;

  const end = (why: string): void => {
    if (over) return;
    over = true;
    cut();
    // Clients wait on for an answer when a stream only breaks off.
    for (const [key, reader] of waiting) reader.end(errorEvent(JSON.parse(key), why));
    waiting.clear();
    listener?.end();
    onClosed();
  };

  const hear = ({ event, data }: StreamEvent): void => {
    if (event !== 'message') return;
    const message = parsed(data);
    const text = `event: message\ndata: ${JSON.stringify(message)}\n\n`;
    const key = 'id' in message && !('method' in message) ? JSON.stringify(message.id) : undefined;
    if (key === undefined) {
      // It belongs to no request; whoever reads anything may have it.
      const any = listener ?? [...waiting.values()].at(-1);
      if (any && !any.say(text)) end(`${server} said more than was read`);
      return;
    }
    const reader = waiting.get(key);
    waiting.delete(key);
    reader?.end(text);
  };

  const pump = async (): Promise<void> => {
    try {
      for await (const event of events) hear(event);
      end(`${server} ended its event stream; whether the call was carried out is not known`);
    } catch (error) {
      const why = error instanceof OnbehalfError ? error.message : `the event stream of ${server} broke off`;
      end(why);
    }
  };
  void pump();

  return {
    endpoint,
    answersTo: (id, signal) => {
      const key = JSON.stringify(id);
      return streamed(signal, {
        begin(reader) {
          if (over) reader.end(errorEvent(id, `${server} has ended its event stream`));
          else waiting.set(key, reader);
        },
        leave: () => void waiting.delete(key),
      });
    },
    forget: (id) => {
      const key = JSON.stringify(id);
      waiting.get(key)?.end();
      waiting.delete(key);
    },
    listen: (signal) => {
      if (listener || over) return undefined;
      return streamed(signal, {
        begin(reader) {
          listener = reader;
        },
        leave() {
          listener = undefined;
        },
      });
    },
    get ended() {
      return over;
    },
    get busy() {
      return waiting.size > 0 || listener !== undefined;
    },
    close: () => end(`the session at ${server} was closed`),
  };
}

/** A stream of events; `leave` is called when nobody reads it any more. */
function streamed(
  signal: AbortSignal | undefined,
  { begin, leave }: { readonly begin: (reader: Reader) => void; readonly leave: () => void },
): Response {
  let detach = (): void => {};
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const onAbort = (): void => {
          leave();
          controller.error(signal?.reason);
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        // The signal may be that of a client, and outlast many requests.
        detach = () => signal?.removeEventListener('abort', onAbort);
        begin({
          say(text) {
            controller.enqueue(encoder.encode(text));
            return (controller.desiredSize ?? 0) > 0;
          },
          end(text) {
            detach();
            if (text !== undefined) controller.enqueue(encoder.encode(text));
            controller.close();
          },
        });
      },
      cancel() {
        detach();
        leave();
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: MAX_ANSWER_BYTES }),
  );
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

function parsed(data: string): object {
  try {
    return Object(JSON.parse(data));
  } catch {
    return {};
  }
}

/**
 * Messages carry the user's token, so the server cannot send them anywhere: the endpoint has to be at the origin of the event stream, in the
 * same folder or below it (`/team/sse` may name `/team/messages?session=1`, and not `/other/messages`).
 */
function pinnedEndpoint(named: string, url: string, server: string): string {
  const folder = new URL('.', url);
  const endpoint = URL.canParse(named, url) ? new URL(named, url) : undefined;
  const inside =
    endpoint?.origin === folder.origin &&
    endpoint.pathname.startsWith(folder.pathname) &&
    // What is one path segment here may be two at the server, or the parent.
    !/%(?:25|2e|2f|3b|5c)|(?:^|\/)\.{1,2};/i.test(endpoint.pathname.slice(folder.pathname.length));
  if (endpoint && inside && endpoint.username === '' && endpoint.password === '') return endpoint.href;
  throw new OnbehalfError(
    'url_not_pinned',
    `${server} named an endpoint that is not below ${folder.origin}${folder.pathname}, so nothing is sent there`,
    { failure: 'misconfigured' },
  );
}

function broken(message: string): OnbehalfError {
  return new OnbehalfError('server_failed', message, { failure: 'misconfigured', retryable: false });
}
