import { abortable } from '../../core/abortable.ts';
import type { ObjectKey } from '../compile/types.ts';
import { onAbort } from '../on-abort.ts';
import { keyText } from './keys.ts';
import type { LookPool } from './look-pool.ts';

/** What a look at something outside the cluster has found. */
export interface Looked<T> {
  readonly value: T;
  /** Whether it was as it should be: then the next look can wait. */
  readonly ok: boolean;
}

/** What is known of something outside the cluster. */
export interface Known<T> {
  /** What the last look has found; `undefined`: none has ended yet. */
  readonly value: T | undefined;
  /** Time to the next look, in milliseconds; `undefined`: one is under way, and whoever asks is told when it has ended. */
  readonly nextMs: number | undefined;
}

/** What is to be looked at. */
export interface Sight<T> {
  /** Changes with what is looked at. */
  readonly version: string;
  /** It has to bound the time it takes. */
  readonly look: (signal: AbortSignal) => Promise<Looked<T>>;
  /** Aborts when nobody needs the look any more. */
  readonly signal: AbortSignal;
}

/**
 * Looks at things outside the cluster, which tell nobody when they change: now and then, and never while somebody waits,
 * because they may not answer.
 */
export interface Looks<T> {
  /** What is known. Begins a look where that is too old or of another version. */
  readonly find: (key: ObjectKey, sight: Sight<T>) => Known<T>;
  readonly forget: (key: ObjectKey) => void;
}

export interface LookOptions {
  readonly pool: LookPool;
  /** Milliseconds of a clock. */
  readonly now: () => number;
  /** Told the key of a look that has ended. */
  readonly onEnd: (key: string) => void;
  /** Told what a look throws, which it should not. */
  readonly onError: (error: unknown, place: string) => void;
}

/** Time between looks at what is well, in milliseconds. */
const OK_MS = 300_000;
/** Time to the second look at what is not, in milliseconds; it doubles from look to look. */
const FAILED_MS = 15_000;
const LONGEST_MS = 600_000;

interface State<T> {
  readonly version: string;
  value: T | undefined;
  /** In a row. */
  failures: number;
  /** When the next look is due. */
  at: number;
  /** Gives up the look that waits or is under way. */
  stop: (() => void) | undefined;
}

/** Makes a memory of looks. Times vary by a tenth, so that not all looks are at once. */
export function createLooks<T>({ pool, now, onEnd, onError }: LookOptions): Looks<T> {
  const known = new Map<string, State<T>>();

  const ended = (state: State<T>, looked: Looked<T> | undefined): void => {
    if (looked !== undefined) state.value = looked.value;
    state.failures = looked?.ok ? 0 : state.failures + 1;
    const ms = looked?.ok ? OK_MS : Math.min(LONGEST_MS, FAILED_MS * 2 ** (state.failures - 1));
    state.at = now() + ms * (0.9 + Math.random() * 0.2);
  };

  const begin = (key: ObjectKey, state: State<T>, { look, signal }: Sight<T>): void => {
    const ending = new AbortController();
    const id = keyText(key);
    const work = async (): Promise<void> => {
      const looking = (async () => look(ending.signal))();
      const looked = await abortable(looking, ending.signal).catch((error: unknown) => {
        if (!ending.signal.aborted) onError(error, `look ${id}`);
        return undefined;
      });
      if (ending.signal.aborted) return;
      forgetAbort();
      state.stop = undefined;
      ended(state, looked);
      onEnd(id);
    };
    const stop = (): void => {
      forgetAbort();
      takeBack();
      state.stop = undefined;
      ending.abort(new Error('the look is given up'));
    };
    const forgetAbort = onAbort(signal, stop);
    state.stop = stop;
    const takeBack = pool.add(key.namespace, work);
  };

  const forget = (id: string): void => {
    known.get(id)?.stop?.();
    known.delete(id);
  };

  return {
    find(key, sight) {
      const id = keyText(key);
      if (known.get(id)?.version !== sight.version) forget(id);
      const state: State<T> = known.get(id) ?? {
        ...{ version: sight.version, value: undefined, failures: 0, at: now(), stop: undefined },
      };
      known.set(id, state);
      if (state.stop === undefined && state.at <= now() && !sight.signal.aborted) begin(key, state, sight);
      return { value: state.value, nextMs: state.stop ? undefined : state.at - now() };
    },
    forget: (key) => forget(keyText(key)),
  };
}
