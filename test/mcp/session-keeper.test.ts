// Sessions kept for random callers in random order: nobody waits for ever, nothing is left open, nobody rides on another's.
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Delegation } from '../../src/index.ts';
import { OnbehalfError } from '../../src/index.ts';
import type { Identity } from '../../src/mcp/identity.ts';
import { defineMcpServer } from '../../src/mcp/server.ts';
import { createSessionKeeper } from '../../src/mcp/session-keeper.ts';
import { type OpenSession, placeOf } from '../../src/mcp/session-place.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const USERS = 4;
const MAX = 2;
const MAX_WAIT_MS = 1_000;

interface Call {
  readonly user: number;
  readonly run: number;
  readonly controller: AbortController;
  state: 'waiting' | 'using' | 'done';
  outcome: unknown;
  finish(error?: Error): void;
}

interface Opened extends OpenSession {
  readonly user: number;
  streams: number;
  /** How often it was said to the server that it is over. */
  said: number;
  disposed: number;
}

/** What may happen, with numbers that pick a user or a call. */
const ACTIONS = [
  'call',
  'call',
  'call',
  'finish',
  'finish',
  'abort',
  'forget',
  'endRun',
  'stream',
  'streamEnd',
  'reserve',
  'free',
  'idle',
  'age',
  'tick',
  'failOpening',
] as const;
const action = fc.tuple(fc.constantFrom(...ACTIONS), fc.nat(1_000));

const flush = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

/** A keeper, its callers, and what can be done to them. */
function createWorld() {
  const server = defineMcpServer({ url: 'https://mcp.example/', target: 'calendar' });
  const runs = Array.from({ length: USERS }, () => 0);
  const calls: Call[] = [];
  const sessions: Opened[] = [];
  const problems: string[] = [];
  const reservations: (() => void)[] = [];
  const failing = { openings: 0 };
  const listeners = new Set<(identity: string) => void>();
  const delegationOf = (user: number, run: number): Delegation => ({ user, run }) as unknown as Delegation;
  const isActive = (delegation: Delegation): boolean => {
    const { user, run } = delegation as unknown as Call;
    return runs[user] === run;
  };
  const keeper = createSessionKeeper(
    { idleMs: 5_000, maxSessionMs: 30_000, maxSessions: MAX, maxWaitMs: MAX_WAIT_MS },
    {
      isActive,
      onEnd(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  );

  const identityOf = (user: number, run: number): Identity => ({
    key: `user ${user}.${run}`,
    delegation: delegationOf(user, run),
    fetch: () => async () => new Response(),
    assertUsable() {
      if (runs[user] !== run)
        throw new OnbehalfError('delegation_ended', 'over', { failure: 'misconfigured' });
    },
    farewell: () => () => async (_url, init) => {
      const id = new Headers(init.headers).get('mcp-session-id');
      const session = sessions[Number(id)];
      if (session) session.said += 1;
      return new Response();
    },
  });

  const open = async (user: number): Promise<Opened> => {
    if (failing.openings > 0) {
      failing.openings -= 1;
      throw new Error('no session');
    }
    const made: Opened = {
      user,
      streams: 0,
      said: 0,
      disposed: 0,
      headers: { 'mcp-session-id': String(sessions.length) },
      busy: () => made.streams > 0,
      async dispose() {
        made.disposed += 1;
      },
    };
    sessions.push(made);
    return made;
  };

  const live = (): Opened[] => sessions.filter(({ disposed }) => disposed === 0);

  const call = (user: number): void => {
    const run = runs[user] as number;
    const { promise, finish } = deferred();
    const made: Call = {
      user,
      run,
      controller: new AbortController(),
      state: 'waiting',
      outcome: undefined,
      finish,
    };
    calls.push(made);
    const identity = identityOf(user, run);
    const use = async (session: Opened): Promise<string> => {
      if (session.user !== user) problems.push(`user ${user} in a session of ${session.user}`);
      if (session.disposed > 0) problems.push('a call in a session that is over');
      made.state = 'using';
      await promise;
      return 'done';
    };
    keeper
      .use(placeOf({ scope: '', server, identity, open: () => open(user) }), use, {
        isForgotten: (error) => error instanceof Error && error.message === 'forgotten',
        signal: made.controller.signal,
      })
      .then(
        (value) => Object.assign(made, { state: 'done', outcome: value }),
        (error: unknown) => Object.assign(made, { state: 'done', outcome: error }),
      );
  };

  const pick = <T>(list: readonly T[], at: number): T | undefined => list[at % Math.max(1, list.length)];
  const using = (): Call[] => calls.filter(({ state }) => state === 'using');
  const waiting = (): Call[] => calls.filter(({ state }) => state === 'waiting');

  const act = async ([what, at]: readonly [(typeof ACTIONS)[number], number]): Promise<void> => {
    if (what === 'call') call((at >> 1) % USERS);
    else if (what === 'finish') pick(using(), at >> 1)?.finish();
    else if (what === 'abort')
      pick(waiting().length > 0 ? waiting() : using(), at >> 1)?.controller.abort(new Error('left'));
    else if (what === 'forget') pick(using(), at >> 1)?.finish(new Error('forgotten'));
    else if (what === 'stream') Object.assign(pick(live(), at >> 1) ?? {}, { streams: 1 });
    else if (what === 'streamEnd') Object.assign(pick(live(), at >> 1) ?? {}, { streams: 0 });
    else if (what === 'failOpening') failing.openings += 1;
    else if (what === 'reserve')
      void keeper.reserve().then(
        (free) => reservations.push(free),
        () => {},
      );
    else if (what === 'free') reservations.pop()?.();
    else if (what === 'idle') await vi.advanceTimersByTimeAsync(5_000);
    else if (what === 'age') await vi.advanceTimersByTimeAsync(30_000);
    else if (what === 'tick') await vi.advanceTimersByTimeAsync(60);
    else if (what === 'endRun') {
      const user = (at >> 1) % USERS;
      const ended = `user ${user}.${runs[user]}`;
      runs[user] = (runs[user] as number) + 1;
      for (const listener of listeners) listener(ended);
    }
    // Some things happen in the same moment.
    if (at % 2 > 0) await flush();
  };

  return { keeper, calls, sessions, problems, reservations, failing, act, live, waiting, using, runs };
}

type World = ReturnType<typeof createWorld>;

function deferred(): { promise: Promise<void>; finish: (error?: Error) => void } {
  let finish = (_error?: Error): void => {};
  const promise = new Promise<void>((resolve, reject) => {
    finish = (error) => (error ? reject(error) : resolve());
  });
  promise.catch(() => {});
  return { promise, finish };
}

/** Lets everything come to an end but the keeper itself. */
async function wind(world: World): Promise<void> {
  await flush();
  world.failing.openings = 0;
  for (const free of world.reservations.splice(0)) free();
  for (const session of world.sessions) session.streams = 0;
  // Less than the wait in all, more than it takes to see that a stream has ended.
  for (let round = 0; round < 20; round++) {
    await vi.advanceTimersByTimeAsync(10);
    for (const call of world.using()) call.finish();
    for (const free of world.reservations.splice(0)) free();
    await flush();
  }
}

test('no waiter is lost, no session is shared by users or left open, and there are never too many', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60, size: 'max' }), async (actions) => {
      const world = createWorld();
      for (const each of actions) {
        await world.act(each);
        expect(world.keeper.size).toBeLessThanOrEqual(MAX);
      }
      await flush();
      await vi.advanceTimersByTimeAsync(60);
      await wind(world);
      expect(world.calls.filter(({ state }) => state !== 'done')).toEqual([]);
      expect(world.problems).toEqual([]);
      // All is at rest, so there is room for anybody.
      for (let user = 0; user < USERS; user++) {
        await world.act(['call', 2 * user]);
        await flush();
        expect(world.calls.at(-1)).toMatchObject({ state: 'using' });
        world.using().at(-1)?.finish();
        await flush();
      }
      // Nobody uses them, so in time they are all ended.
      await vi.advanceTimersByTimeAsync(5_000);
      expect(world.keeper.size).toBe(0);
      await world.act(['call', 1]);
      world.using()[0]?.finish();
      await world.keeper.end();
      expect(world.sessions.map(({ disposed }) => disposed)).toEqual(world.sessions.map(() => 1));
      for (const { said } of world.sessions) expect(said).toBeLessThanOrEqual(1);
      await world.act(['call', 1]);
      await flush();
      expect(String(world.calls.at(-1)?.outcome)).toContain('closed');
    }),
    {
      numRuns: 200,
      // Left in the moment of its turn.
      examples: [
        [
          [
            ['reserve', 1],
            ['reserve', 1],
            ['call', 1],
            ['abort', 0],
            ['free', 0],
          ],
        ],
      ],
    },
  );
});

test('whoever waits is let in in the order of coming, but with others of the same user', async () => {
  const order = fc.array(fc.nat(USERS - 1), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(order, async (users) => {
      const world = createWorld();
      // Two that are there already hold all the room.
      const [free] = await Promise.all(Array.from({ length: MAX }, () => world.keeper.reserve()));
      for (const user of users) await world.act(['call', 2 * user + 1]);
      await flush();
      expect(world.using()).toEqual([]);
      const seen: number[] = [];
      free?.();
      for (let round = 0; round < 40 && world.waiting().length + world.using().length > 0; round++) {
        await flush();
        for (const call of world.using()) {
          if (!seen.includes(call.user)) seen.push(call.user);
          call.finish();
        }
        await flush();
      }
      expect(seen).toEqual([...new Set(users)]);
      await world.keeper.end();
    }),
    { numRuns: 100 },
  );
});
