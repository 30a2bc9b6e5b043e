import { never } from '../../support/loopback.ts';
import { granting, subjectJwt } from '../../support/sts.ts';
import type { Places } from '../places.ts';
import type { FaultRow, Given, World } from '../row.ts';
import { until } from '../until.ts';
import { bare, hold } from './handlers.ts';

const USER_LEFT = new Error('the user has left');
const ended = 'delegation_ended reauthentication_required';
const MINUTE = 60_000;

/** Calls, and does something when the STS has been asked; then the STS may answer. */
const meanwhile =
  (happens: (world: World, user: AbortController) => unknown) =>
  ({ sts }: Places): Given => {
    const held = hold();
    sts.handle(held.handler);
    return {
      async play(world) {
        const user = new AbortController();
        const called = world.call({ signal: user.signal });
        await sts.arrived(1);
        happens(world, user);
        if (!user.signal.aborted) held.release();
        await called;
        world.note(`${world.broker.stats().entries} kept`);
      },
    };
  };

/** What can happen while somebody waits, and how long anybody waits. */
export const timeRows: readonly FaultRow[] = [
  {
    fault: 'caller: gave up before',
    ...{ outcome: 'aborted', sts: 0, mcp: 0 },
    play: ({ call }) => call({ signal: AbortSignal.abort(USER_LEFT) }),
  },
  {
    fault: 'caller: gives up during the exchange',
    ...{ outcome: ['aborted', '0 kept'], sts: 1, mcp: 0 },
    given: meanwhile((_world, user) => user.abort(USER_LEFT)),
  },
  {
    fault: 'caller: one of two gives up during their exchange',
    ...{ outcome: ['aborted', 'ok'], sts: 1, mcp: 1 },
    given: oneOfTwoLeaves,
  },
  {
    fault: 'caller: gives up while a retry is waited for',
    ...{ outcome: 'aborted', sts: 1, mcp: 0 },
    answers: () => bare(503, { 'retry-after': '5' }),
    async play({ call, places }) {
      const user = new AbortController();
      const called = call({ signal: user.signal });
      await places.sts.arrived(1);
      user.abort(USER_LEFT);
      await called;
    },
  },
  {
    fault: 'run: ended during the exchange',
    ...{ outcome: [ended, '0 kept'], sts: 1, mcp: 0 },
    given: meanwhile(({ broker, run }) => broker.end(run())),
  },
  {
    fault: 'broker: closed during the exchange',
    ...{ outcome: [ended, '0 kept'], sts: 1, mcp: 0 },
    given: meanwhile(({ broker }) => broker.close()),
  },
  { fault: 'deadline: the STS does not answer', ...deadline(), answers: () => never },
  {
    fault: 'deadline: the STS wants a retry later',
    ...deadline(),
    answers: () => bare(503, { 'retry-after': '5' }),
  },
  {
    fault: 'run: nobody ended it within an hour',
    ...{ outcome: ['ok', ended], sts: 1, mcp: 1 },
    async play({ call, places }) {
      await call();
      places.pass(60 * MINUTE);
      await call();
    },
  },
  {
    fault: 'runs: as many as there may be',
    ...{ outcome: 'capacity_exceeded unavailable', sts: 0, mcp: 0 },
    given: () => ({ broker: { maxRuns: 1 } }),
    play({ broker, call, run }) {
      run();
      return call({ delegation: () => broker.begin({ subjectToken: subjectJwt('bob') }) });
    },
  },
  {
    fault: 'refresh ahead: the STS is down, the kept token is good',
    ...{ outcome: ['ok', 'ok', 'ok'], sts: 5, mcp: 3 },
    async play({ broker, call, places }) {
      await call();
      places.sts.handle(bare(503));
      places.pass(4 * MINUTE);
      await call();
      await until(
        () => broker.stats().failures,
        (failures) => failures === 1,
      );
      places.sts.handle(granting());
      places.pass(MINUTE);
      await call();
    },
  },
];

function deadline(): Omit<FaultRow, 'fault'> {
  return {
    ...{ outcome: 'deadline_exceeded unavailable', sts: 1, mcp: 0 },
    given: () => ({ broker: { deadlineMs: 250 } }),
  };
}

function oneOfTwoLeaves({ sts }: Places): Given {
  const held = hold();
  sts.handle(held.handler);
  return {
    async play({ call }) {
      const user = new AbortController();
      const calls = [call({ signal: user.signal }), call()];
      await sts.arrived(1);
      user.abort(USER_LEFT);
      await calls[0];
      held.release();
      await Promise.all(calls);
    },
  };
}
