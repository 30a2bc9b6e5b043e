import { randomUUID } from 'node:crypto';
import { abortable } from '../../core/abortable.ts';
import { checkOptions } from '../../core/options.ts';
import type { KubeClient } from '../client/types.ts';
import { pause, systemTime, type Time } from '../time.ts';
import { createLease, type Lease } from './lease.ts';

export interface LeaderOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  /** Namespace and name of the Lease. */
  readonly namespace: string;
  readonly name: string;
  /** Who this is, for people: the pod's name. Something random is put behind it. */
  readonly identity: string;
  /** How long others must not have seen a change before one of them takes over, in milliseconds. Default: 15,000. */
  readonly leaseDurationMs?: number | undefined;
  /** How long the leader leads without a renewal, in milliseconds; well below `leaseDurationMs`. Default: 10,000. */
  readonly renewMs?: number | undefined;
  /** Time between tries to become leader and between renewals, in milliseconds. Default: 2,000. */
  readonly retryMs?: number | undefined;
  /**
   * What the leader does. `signal` aborts when it must not do anything any more: it has lost the lease, or the program
   * ends. Only when it has returned is the lease given back or asked for again. When it returns or throws by itself, so
   * does `runAsLeader`.
   */
  readonly onLeading: (signal: AbortSignal) => Promise<void>;
  /** Told who leads, when that changes. */
  readonly onLeader?: ((identity: string, self: boolean) => void) | undefined;
  /** Told of failed requests. */
  readonly onError?: ((error: unknown) => void) | undefined;
  readonly time?: Time | undefined;
}

/** What clocks may differ in speed, and more: whoever leads stops so much before others may begin. */
const MARGIN = 1.25;

/**
 * Waits until nobody else leads, leads, and begins again when the lease was lost, until `signal` aborts. Returns when
 * `onLeading` has ended and the lease is given back.
 *
 * @throws TypeError when an option is wrong, or what `onLeading` throws while it leads
 */
export async function runAsLeader(options: LeaderOptions, signal: AbortSignal): Promise<void> {
  check(options);
  const { client, namespace, name, leaseDurationMs = 15_000, renewMs = 10_000, retryMs = 2_000 } = options;
  const { time = systemTime } = options;
  const identity = `${options.identity}_${randomUUID().slice(0, 8)}`;
  const report = quietly(options.onError);
  const onHolder = quietly((holder: string) => options.onLeader?.(holder, holder === identity));
  const lease = createLease({
    ...{ client, identity, time, onHolder, place: { namespace, name }, durationMs: leaseDurationMs },
  });
  const term: Term = { lease, time, renewMs, retryMs, report, onLeading: options.onLeading };
  while (!signal.aborted) {
    const taken = await tryOnce(term, false);
    if (typeof taken === 'object' && (await lead(term, taken.heldSince, signal))) return;
    // Those who wait for the same lease need not ask at the same time.
    await pause(time, retryMs * (1 + Math.random() / 5), signal).catch(() => {});
  }
}

interface Term {
  readonly lease: Lease;
  readonly time: Time;
  readonly renewMs: number;
  readonly retryMs: number;
  readonly onLeading: LeaderOptions['onLeading'];
  readonly report: (error: unknown) => void;
}

type Taken = Awaited<ReturnType<Lease['take']>> | 'failed';

/** Takes or renews the lease, with time left for another try. */
async function tryOnce({ lease, time, renewMs, report }: Term, leads: boolean): Promise<Taken> {
  const work = (signal: AbortSignal): ReturnType<Lease['take']> => lease.take(signal, leads);
  return within({ time, ms: renewMs / 3, report, failed: 'failed' as const }, work);
}

async function within<T, F>(
  { time, ms, report, failed }: Pick<Term, 'time' | 'report'> & { readonly ms: number; readonly failed: F },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | F> {
  const controller = new AbortController();
  const late = new Error(`there was no answer within ${Math.round(ms)} ms`);
  const cancel = time.after(ms, () => controller.abort(late));
  try {
    return await abortable(work(controller.signal), controller.signal);
  } catch (error) {
    report(error);
    return failed;
  } finally {
    cancel();
  }
}

/** Leads until the lease is lost (false) or there is nothing more to do (true). */
async function lead(term: Term, heldSince: number, signal: AbortSignal): Promise<boolean> {
  const { lease, time, renewMs, retryMs, report } = term;
  const leading = new AbortController();
  const ended = new AbortController();
  let lost = false;
  const lose = (): void => {
    lost = true;
    leading.abort(new Error('the lease was lost'));
    ended.abort();
  };
  const stopAt = (at: number): (() => void) => time.after(Math.max(0, at - time.now()), lose);
  let cancel = stopAt(heldSince + renewMs);
  const onAbort = (): void => leading.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const begun = signal.aborted ? Promise.resolve({}) : settled(leading.signal, term.onLeading);
  const work: Promise<Outcome> = begun.finally(() => ended.abort());
  // Also while the work comes to its end after an abort: nobody else must begin before it has.
  while (!ended.signal.aborted) {
    await pause(time, retryMs, ended.signal).catch(() => {});
    if (ended.signal.aborted) break;
    const taken = await tryOnce(term, true);
    if (taken === 'other') lose();
    if (typeof taken !== 'object') continue;
    cancel();
    cancel = stopAt(taken.heldSince + renewMs);
  }
  const outcome = await work;
  cancel();
  signal.removeEventListener('abort', onAbort);
  if (!lost) await within({ time, ms: renewMs / 3, report, failed: undefined }, lease.release);
  if ('error' in outcome && !leading.signal.aborted) throw outcome.error;
  // Work that ends with the reason it was given has done what it was told.
  if ('error' in outcome && outcome.error !== leading.signal.reason) report(outcome.error);
  return !lost;
}

type Outcome = { readonly error: unknown } | Record<never, never>;

async function settled(signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<Outcome> {
  try {
    await work(signal);
    return {};
  } catch (error) {
    return { error };
  }
}

/** Whoever only listens must not break what he listens to. */
function quietly<T>(listener: ((told: T) => void) | undefined): (told: T) => void {
  return (told) => {
    try {
      listener?.(told);
    } catch {
      // Nobody is left to tell.
    }
  };
}

function check(options: LeaderOptions): void {
  checkOptions(options, 'runAsLeader()', {
    client: 'object',
    namespace: 'text',
    name: 'text',
    identity: 'text',
    leaseDurationMs: 'positive?',
    renewMs: 'positive?',
    retryMs: 'positive?',
    onLeading: 'function',
    onLeader: 'function?',
    onError: 'function?',
    time: 'object?',
  });
  const { leaseDurationMs = 15_000, renewMs = 10_000, retryMs = 2_000 } = options;
  if (renewMs * MARGIN > leaseDurationMs) {
    throw new TypeError(
      `"renewMs" must be at most "leaseDurationMs" (${leaseDurationMs}) divided by ${MARGIN}`,
    );
  }
  if (retryMs >= renewMs) throw new TypeError(`"retryMs" must be less than "renewMs" (${renewMs})`);
}
