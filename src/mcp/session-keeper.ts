import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { Delegation } from '../broker/delegation.ts';
import { abortable } from '../core/abortable.ts';
import { OnbehalfError } from '../core/errors.ts';
import { findOnbehalfError } from './call-failure.ts';
import { createQueue } from './queue.ts';
import { closed, type Entry, endedMeanwhile, openEntry, part, sayDelete } from './session-entry.ts';
import type { Farewell, OpenSession, Place, Runs, SessionLimits } from './session-place.ts';

/** How a session is used. */
export interface UseOptions<S, T> {
  /** Whether an error says that the server answered 404. */
  readonly isForgotten: (error: unknown) => boolean;
  /** Whether what was given is that 404. It sees everything that `use` gives, as soon as it does. */
  readonly isGone?: (given: T, session: S) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Keeps sessions open: one for each scope, server and identity. */
export interface SessionKeeper {
  /**
   * Uses the session of a place, opened where there is none. If the server turns out to have forgotten it, so that nothing
   * was done, it is opened anew, and `use` called once more.
   *
   * @param options - how it is seen that the server answered 404: by what `use` threw, or by what it gave
   */
  use<S extends OpenSession, T>(
    place: Place<S>,
    use: (session: S) => Promise<T>,
    options: UseOptions<S, T>,
  ): Promise<T>;
  /** Waits until there is room for one more, and keeps it free until the function that is given is called. */
  reserve(signal?: AbortSignal): Promise<() => void>;
  /**
   * Takes over a session that is open already.
   *
   * @throws what `assertUsable` of the identity throws; then the session is ended by `farewell`
   */
  adopt<S extends OpenSession>(place: Place<S>, session: S, farewell: Farewell): void;
  /** Closes with DELETE, as far as the server answers in time, the sessions of a scope. Those of an ended run close so too. */
  close(scope: string): Promise<void>;
  /** Resolves when the DELETE requests under way have been answered. */
  settled(): Promise<void>;
  /** Closes all sessions; none is opened any more. */
  end(): Promise<void>;
  readonly ended: boolean;
  /** Sessions open. */
  readonly size: number;
}

const MOST_OPENINGS = 3;

/** Makes a keeper of sessions. */
export function createSessionKeeper(limits: SessionLimits, { isActive, onEnd }: Runs): SessionKeeper {
  const { idleMs = 60_000, maxSessionMs = 3_600_000, maxSessions = 10_000, maxWaitMs = 10_000 } = limits;
  const entries = new Map<string, Entry>();
  const tagged = new Map<string, Set<Entry>>();
  /** All that are open, those too that are for nobody new. */
  const all = new Set<Entry>();
  let reserved = 0;
  let stopListening: (() => void) | undefined;
  /** Least recently used first. */
  const idle = new Set<Entry>();
  const closing = new Set<Promise<void>>();
  const queue = createQueue<Entry | 'room'>({
    maxWaitMs,
    full: () =>
      new OnbehalfError(
        'capacity_exceeded',
        `${maxSessions} MCP sessions are in use, the most there may be`,
        { failure: 'unavailable' },
      ),
  });
  let ended = false;

  /** From now on it is for those alone who use it already. */
  const retire = (entry: Entry): void => {
    if (entries.get(entry.key) === entry) entries.delete(entry.key);
    idle.delete(entry);
  };

  const drop = (entry: Entry): void => {
    retire(entry);
    all.delete(entry);
    // What is made for one run must not be held by the broker for ever.
    if (all.size === 0) {
      stopListening?.();
      stopListening = undefined;
    }
    clearTimeout(entry.timer);
    for (const tag of entry.tags) {
      const group = tagged.get(tag);
      group?.delete(entry);
      if (group?.size === 0) tagged.delete(tag);
    }
    queue.serve();
  };

  /** Closes at once; what has to be said to the server is said with the token kept at this moment. */
  const close = (entry: Entry, reason?: Error): Promise<void> => {
    if (entry.closing !== undefined) return entry.closing;
    drop(entry);
    const say = entry.forgotten ? undefined : entry.farewell();
    entry.givenUp.abort(reason);
    // Somebody else may have had it closed, in whose context nothing must be said.
    const task = entry.inContext(() => part(entry, say)).finally(() => closing.delete(task));
    closing.add(task);
    entry.closing = task;
    return task;
  };

  const closeTagged = async (tag: string, reason?: Error): Promise<void> => {
    await Promise.all([...(tagged.get(tag) ?? [])].map((entry) => close(entry, reason)));
  };

  const add = (place: Place<OpenSession>, open: (entry: Entry) => Promise<OpenSession>): Entry => {
    const { key } = place;
    const now = Date.now();
    const tags = [`scope ${place.scope}`, `identity ${place.identity.key}`];
    let begin = (_session: Promise<OpenSession>): void => {};
    const opening = new Promise<OpenSession>((resolve) => {
      begin = resolve;
    });
    const entry: Entry = {
      ...{ key, place, tags, opening, headers: {}, users: [] },
      ...{ session: undefined, forgotten: false, closing: undefined, timer: undefined },
      givenUp: new AbortController(),
      named: () => Promise.resolve(),
      inContext: AsyncLocalStorage.snapshot(),
      farewell: place.identity.farewell(place.server),
      endsAt: now + maxSessionMs,
    };
    entries.set(key, entry);
    all.add(entry);
    stopListening ??= onEnd((over) => void closeTagged(`identity ${over}`, endedMeanwhile()));
    for (const tag of tags) {
      const group = tagged.get(tag) ?? new Set();
      tagged.set(tag, group.add(entry));
    }
    opening.then(
      (session) => {
        entry.session = session;
        entry.headers = session.headers;
      },
      // The server may have made a session before it failed.
      () => void close(entry),
    );
    begin(open(entry));
    return entry;
  };

  /** Nobody waits for it any more. */
  const rest = (entry: Entry): void => {
    const isKept = entries.get(entry.key) === entry;
    if (!isKept && !entry.session?.busy?.()) return void close(entry);
    entry.timer = entry.timer?.refresh() ?? setTimeout(() => onIdle(entry), idleMs).unref();
    // Of what is for nobody new, a stream may be open still.
    idle.add(entry);
    queue.serve();
  };

  const onIdle = (entry: Entry): void => {
    // In use again: then its next rest counts.
    if (entry.users.length > 0) return;
    if (entry.session?.busy?.()) rest(entry);
    else void close(entry);
  };

  const evict = (): boolean => {
    for (const entry of idle) {
      if (entry.session?.busy?.()) continue;
      void close(entry);
      return true;
    }
    return false;
  };

  const hasRoom = (): boolean => all.size + reserved < maxSessions || evict();

  const assertOpen = (): void => {
    if (ended) throw closed();
  };

  const assertUsable = ({ identity, server }: Place<OpenSession>): void => {
    assertOpen();
    identity.assertUsable(server);
  };

  /** The kept entry of a place, unless its time is over. */
  const find = (place: Place<OpenSession>): Entry | undefined => {
    const entry = entries.get(place.key);
    if (!entry || entry.endsAt > Date.now()) return entry;
    retire(entry);
    if (entry.users.length === 0) rest(entry);
    return undefined;
  };

  /** The kept entry of a place, in use from now on. */
  const join = (place: Place<OpenSession>): Entry | undefined => {
    // A session may be shared; a run that has ended must not ride on another one's.
    assertUsable(place);
    const entry = find(place);
    if (!entry) return undefined;
    idle.delete(entry);
    entry.users.push(place.identity.delegation);
    return entry;
  };

  /** The same, or a new one; `undefined` while there is no room for it. */
  const take = (place: Place<OpenSession>): Entry | undefined => {
    const entry = join(place);
    if (entry) return entry;
    if (!hasRoom()) return undefined;
    return add(place, (made) => {
      made.users.push(place.identity.delegation);
      return openEntry(made, isActive);
    });
  };

  const release = (entry: Entry, user: Delegation | undefined): void => {
    if (entry.users.at(-1) === user) entry.users.pop();
    else entry.users.splice(entry.users.lastIndexOf(user), 1);
    if (entry.users.length === 0) rest(entry);
  };

  /** Takes note that its server has forgotten a session; whether another may be tried. */
  const forget = (entry: Entry): boolean => {
    // Without an id there is no session to forget, and 404 is an answer like any other.
    if (entry.headers['mcp-session-id'] === undefined) return false;
    entry.forgotten = true;
    retire(entry);
    return true;
  };

  /** A shared opening may have been made under a run that ended meanwhile. */
  const endedUnder = (error: unknown, user: Delegation | undefined): boolean =>
    findOnbehalfError(error)?.code === 'delegation_ended' && user !== undefined && isActive(user);

  return {
    async use<S extends OpenSession, T>(
      place: Place<S>,
      use: (session: S) => Promise<T>,
      { isForgotten, isGone, signal }: UseOptions<S, T>,
    ) {
      const user = place.identity.delegation;
      for (let tries = 1, calls = 0; ; tries++) {
        const entry = join(place) ?? ((await queue.wait(place.key, () => take(place), signal)) as Entry);
        // A server that is started anew may forget a session while it is opened. One that always does is not to be helped.
        let isLast = tries > MOST_OPENINGS;
        try {
          const session = (entry.session ?? (await abortable(entry.opening, signal))) as S;
          calls += 1;
          isLast ||= calls > 1;
          const given = await use(session);
          if (!isGone?.(given, session) || !forget(entry) || isLast) return given;
        } catch (error) {
          const isOther = (isForgotten(error) && forget(entry)) || endedUnder(error, user);
          if (!isOther || isLast) throw error;
        } finally {
          release(entry, user);
        }
      }
    },
    async reserve(signal) {
      const attempt = (): 'room' | undefined => {
        assertOpen();
        if (!hasRoom()) return undefined;
        reserved += 1;
        return 'room';
      };
      await queue.wait(randomUUID(), attempt, signal);
      return () => {
        reserved -= 1;
        queue.serve();
      };
    },
    adopt(place, session, farewell) {
      let entry: Entry;
      try {
        entry = add(place, () => Promise.resolve(session));
      } catch (error) {
        const say = farewell();
        if (say) void sayDelete(place.server, session.headers, say).catch(() => {});
        throw error;
      }
      entry.session = session;
      entry.headers = session.headers;
      rest(entry);
      // It was being opened when all were closed.
      if (ended) void close(entry);
    },
    close: (scope) => closeTagged(`scope ${scope}`),
    settled: async () => void (await Promise.all(closing)),
    async end() {
      ended = true;
      queue.fail(closed());
      for (const entry of all) void close(entry, closed());
      await Promise.all(closing);
    },
    get ended() {
      return ended;
    },
    get size() {
      return all.size;
    },
  };
}
