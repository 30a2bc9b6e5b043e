import { expect, test } from 'vitest';
import { expectNoLeak } from '../support/leaks.ts';
import { client, said, setRemoteStage, startFakeAgent, task } from './remote-agents-support.ts';
import { AGENT, callsAt, configOf, message, rpc, send, serve, tokenService } from './support.ts';

const callCallee = {
  ...{ type: 'scripted', model: 'script' },
  turns: [{ calls: [{ name: 'callee', args: { request: 'Go.' } }] }, { text: 'All done.' }],
};

test('an agent that is served calls another one for its caller, who is seen through both', async () => {
  const stage = await setRemoteStage(client('callee', 'calendar'));
  const calendar = await stage.mcp('calendar');
  const callee = await serve(
    configOf(stage, [calendar], {
      name: 'team/callee',
      token_exchange: { token_services: { sts: { ...tokenService(stage.sts), client_id: 'callee' } } },
      authentication: { mode: 'jwt', audience: 'callee', issuers: [{ issuer: stage.sts.issuer }] },
    }),
  );
  const server = await serve(
    configOf(stage, [], {
      model: callCallee,
      remote_agents: [{ name: 'callee', url: callee.url, sts_audience: 'callee' }],
    }),
  );

  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map(async (user) => send(server, await stage.token(user))),
  );

  for (const answer of [alice, bob]) expect(answer?.body.result.status.state).toBe('completed');
  expect(callsAt(calendar).toSorted()).toEqual([
    'alice for calendar by callee: 200',
    'bob for calendar by callee: 200',
  ]);
  expect(stage.sts.exchanges.filter(({ act }) => act === AGENT).length).toBe(2);
  expectNoLeak([alice?.text, bob?.text, stage.log], stage.tokens);
});

test('a task that is cancelled cancels the task of the other agent', async () => {
  const stage = await setRemoteStage();
  let [looked, cancelled] = [(): void => {}, (): void => {}];
  const [isLookedAt, isCancelled] = [
    new Promise<void>((resolve) => {
      looked = resolve;
    }),
    new Promise<void>((resolve) => {
      cancelled = resolve;
    }),
  ];
  const callee = await startFakeAgent({
    'message/send': () => task('working'),
    'tasks/get': () => {
      looked();
      return task('working');
    },
    'tasks/cancel': () => {
      cancelled();
      return said('Cancelled.');
    },
  });
  const server = await serve(
    configOf(stage, [], {
      model: callCallee,
      remote_agents: [{ name: 'callee', url: callee.url, sts_audience: 'callee' }],
    }),
  );
  const alice = await stage.token('alice');
  const sent = await rpc(server, alice, 'message/send', message('Go.', {}, { blocking: false }));
  await isLookedAt;

  await rpc(server, alice, 'tasks/cancel', { id: sent.body.result.id });

  await isCancelled;
  const [{ authorization: first } = {}] = callee.of('message/send');
  expect(callee.of('tasks/cancel').map(({ authorization }) => authorization)).toEqual([first]);
});
