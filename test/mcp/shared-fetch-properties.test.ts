// One client for all users, at a server that is started anew, refuses tokens and holds answers, in random order: no request
// is ever in another's session, and at the end nothing is left at the server.
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import type { Delegation } from '../../src/index.ts';
import { type BareClient, connectBare, type Scene, startScene } from './any-client.ts';

afterEach(() => {
  vi.useRealTimers();
});

const USERS = ['alice', 'bob', 'carol'] as const;
const IDLE_MS = 5_000;

type User = (typeof USERS)[number];
type Action =
  | { readonly what: 'call' | 'refuse' | 'end'; readonly user: User }
  | { readonly what: 'calls'; readonly users: readonly User[]; readonly restart: boolean }
  | { readonly what: 'restart' | 'idle' | 'list' | 'disconnect' };

const user = fc.constantFrom(...USERS);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('call' as const), user }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('end' as const), user }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('refuse' as const), user }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('calls' as const),
      users: fc.array(user, { minLength: 2, maxLength: 6 }),
      restart: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constantFrom('restart' as const, 'idle' as const, 'list' as const, 'disconnect' as const),
    }),
  },
);

interface World {
  readonly at: Scene;
  readonly runs: Map<User, Delegation>;
  client: BareClient;
  called: number;
}

async function call(world: World, who: User): Promise<void> {
  const { at, runs, client } = world;
  const run = runs.get(who) ?? at.begin(who);
  runs.set(who, run);
  world.called += 1;
  expect(await client.call(run)).toBe(`you are ${who}`);
}

async function act(world: World, given: Action): Promise<void> {
  const { at, runs } = world;
  if (given.what === 'call') await call(world, given.user);
  else if (given.what === 'refuse') {
    at.server.refuse('tools/call', 401);
    await call(world, given.user);
  } else if (given.what === 'calls') {
    const calls = given.users.map((who) => call(world, who));
    if (given.restart) at.server.restart();
    await Promise.all(calls);
  } else if (given.what === 'end') {
    const run = runs.get(given.user);
    runs.delete(given.user);
    if (run) at.broker.end(run);
  } else if (given.what === 'restart') at.server.restart();
  else if (given.what === 'idle') vi.advanceTimersByTime(IDLE_MS);
  else if (given.what === 'list') expect((await world.client.send('tools/list')).status).toBe(200);
  else {
    await world.client.end();
    world.client = await connectBare(at.server.url, at.fetch);
  }
}

test.each(['anonymous', 'agent'] as const)(
  'with discovery by %s, whatever happens in whatever order, each call is carried out once in the user’s own session',
  async (discovery) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 14, size: 'max' }), async (actions) => {
        const at = await startScene({
          server: { open: discovery === 'agent' ? 'nothing' : 'discovery' },
          fetch: { discovery, idleMs: IDLE_MS, agentCredential: () => 'token-of-the-agent' },
        });
        const client = await connectBare(at.server.url, at.fetch);
        const world: World = { at, client, runs: new Map(), called: 0 };
        for (const each of actions) await act(world, each);
        await at.fetch.close();
        expect(at.server.violations).toEqual([]);
        expect(at.server.executed).toHaveLength(world.called);
        expect([...at.server.sessions]).toEqual([]);
        expect(at.fetch.sessions).toBe(0);
      }),
      { numRuns: 40 },
    );
  },
  60_000,
);
