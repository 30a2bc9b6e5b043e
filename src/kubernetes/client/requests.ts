import type { Readable } from 'node:stream';
import { abortable } from '../../core/abortable.ts';
import { networkCause } from '../../core/errors.ts';
import { onAbort } from '../on-abort.ts';
import type { Time } from '../time.ts';
import { readAll, TooLarge } from './body.ts';
import type { Access, Credentials } from './credentials.ts';
import { isKubeError, KubeError, type KubeReason } from './kube-error.ts';
import { statusError } from './status.ts';
import type { KubeRequest, Transport } from './transport.ts';

/** What is asked of the API server. */
export interface Order {
  readonly method: KubeRequest['method'];
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default: `application/json`. */
  readonly contentType?: string | undefined;
  /** For messages: `apply agents.onbehalf.dev demo/helper`. */
  readonly what: string;
  /** Whether `body` is a Secret. */
  readonly isSecret?: boolean | undefined;
}

/** The body of an answer of success. */
export interface Accepted {
  readonly body: Readable;
  /** Credentials that were sent. */
  readonly secrets: readonly string[];
}

/** Sends orders, once each, and reads the answers. */
export interface Requests {
  /** The answer's JSON. @throws KubeError, or the reason of `signal` */
  json(order: Order, signal: AbortSignal | undefined): Promise<unknown>;
  /** An answer of success whose body goes on until `signal` aborts, and what it must not repeat. @throws as `json` */
  stream(order: Order, signal: AbortSignal): Promise<Accepted>;
}

export interface RequestsOptions {
  readonly credentials: Credentials;
  readonly transport: Transport;
  readonly userAgent: string;
  /** For a whole answer; of a stream, for its beginning. */
  readonly timeoutMs: number;
  readonly time: Time;
}

/** Largest answer that is read: pages of lists are smaller, and are asked for in smaller pieces when they are not. */
const MAX_BYTES = 32 * 1024 * 1024;

export function createRequests(options: RequestsOptions): Requests {
  const { credentials, transport, timeoutMs, time } = options;

  /** An answer of success. With what else is answered, it throws. */
  const accepted = async (order: Order, lasting: boolean, signal: AbortSignal): Promise<Accepted> => {
    const access = await abortable(credentials.current(), signal);
    const { method, path, body, contentType = 'application/json', what, isSecret = false } = order;
    const answer = await transport.send({
      ...{ method, path, lasting, access, signal },
      headers: {
        accept: 'application/json',
        'user-agent': options.userAgent,
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const { status: code, headers, body: answered } = answer;
    const secrets = secretsOf(access);
    if (code >= 200 && code < 300) return { body: answered, secrets };
    const said = parsed(await readAll(answered, MAX_BYTES));
    throw statusError(said, { code, headers }, { what, isSecret, secrets });
  };

  /** A credential may have been replaced since it was read; what was refused for it has changed nothing. */
  const authenticated = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (!isKubeError(error) || error.code !== 401) throw error;
      credentials.renew();
      return work();
    }
  };

  /** Gives work a deadline and a signal, of which it says itself when it needs it no more. */
  const bounded = async <T>(
    order: Order,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal, done: () => void) => Promise<T>,
  ): Promise<T> => {
    signal?.throwIfAborted();
    const controller = new AbortController();
    let late = false;
    const cancel = time.after(timeoutMs, () => {
      late = true;
      controller.abort();
    });
    // Not AbortSignal.any: the signal of a program lives longer than all that would hang on it.
    const done = onAbort(signal, () => controller.abort(signal?.reason));
    try {
      return await authenticated(() => work(controller.signal, done));
    } catch (error) {
      done();
      signal?.throwIfAborted();
      if (late) throw failed(order, 'TimedOut', `there was no answer within ${timeoutMs} ms`);
      throw kubeError(order, error);
    } finally {
      cancel();
    }
  };

  return {
    json: (order, signal) =>
      bounded(order, signal, async (own, done) => {
        const { body } = await accepted(order, false, own);
        const said = parsed(await readAll(body, MAX_BYTES));
        if (said === undefined) throw failed(order, 'Malformed', 'the answer is not JSON');
        done();
        return said;
      }),
    stream: (order, signal) =>
      bounded(order, signal, async (own, done) => {
        const answer = await accepted(order, true, own);
        answer.body.once('close', done);
        return answer;
      }),
  };
}

/** A failure without an answer. */
function failed({ what }: Order, reason: KubeReason, why: string): KubeError {
  return new KubeError(`cannot ${what}: ${why}`, { code: 0, reason });
}

/** What is thrown on the way as an error of ours, with nothing of the request in it. */
export function kubeError(order: Order, error: unknown): unknown {
  if (error instanceof KubeError || error instanceof TypeError) return error;
  if (error instanceof TooLarge) return failed(order, 'TooLarge', `the answer has ${error.message}`);
  const code = networkCause(error)?.message;
  const why = `the API server cannot be reached, or has broken off${code === undefined ? '' : ` (${code})`}`;
  return failed(order, 'Unreachable', why);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function secretsOf({ headers, auth }: Access): readonly string[] {
  const given = [headers.authorization ?? '', auth ?? ''];
  return given.flatMap((text) => text.split(/[ :]/)).filter((part) => part.length >= 8);
}
