import { expect, test } from 'vitest';
import type { PropagationFailure } from '../../src/adk/index.ts';
import { OnbehalfError } from '../../src/index.ts';
import { agentOf, call, createGate, heldExchanges, type Stage, setStage, TestModel } from './support.ts';

/** A stage whose plugin tells of failures. */
async function listen(more: object = {}): Promise<[Stage, PropagationFailure[]]> {
  const heard: PropagationFailure[] = [];
  const stage = await setStage({ plugin: { onFailure: (failure) => heard.push(failure), ...more } });
  return [stage, heard];
}

const SCRIPT = [call('secret_tool'), 'Done.'];
const inShort = ({ stage, server, scopes, error }: PropagationFailure): unknown[] => [
  stage,
  server,
  scopes,
  error.failure,
];

test('a call that could not be made for its user is told once, with the scopes that were asked for', async () => {
  const [stage, heard] = await listen();
  const server = await stage.server('secret');
  const toolset = stage.toolset(server, {
    stsAudience: undefined,
    target: { audience: 'secret', scope: 'a b' },
  });

  const { answers } = await stage.run(stage.runner(agentOf(new TestModel(SCRIPT), [toolset])), 'alice');

  expect(answers).toMatchObject([{ response: { error: { code: 'sts_error' } } }]);
  expect(heard.map(inShort)).toEqual([['call', 'secret', ['a', 'b'], 'denied']]);
});

test('a listing that could not be made is told, and calls that were made are not', async () => {
  const [stage, heard] = await listen();
  const secret = stage.toolset(await stage.server('secret', { requireTokenForDiscovery: true }));
  const calendar = stage.toolset(await stage.server('calendar'));
  const model = new TestModel([call('calendar_tool'), 'Done.']);

  const { answers } = await stage.run(stage.runner(agentOf(model, [secret, calendar])), 'alice');

  expect(answers.length).toBe(1);
  expect(new Set(heard.map(({ stage: at, server }) => `${at} ${server}`))).toEqual(
    new Set(['listing secret']),
  );
});

test('what a listener throws changes nothing', async () => {
  const [stage] = await listen({
    onFailure: () => {
      throw new Error('of the listener');
    },
  });
  const server = await stage.server('secret');

  const run = await stage.run(stage.runner(agentOf(new TestModel(SCRIPT), [stage.toolset(server)])), 'alice');

  expect(run.failure).toBeUndefined();
  expect(run.answers).toMatchObject([{ response: { error: { code: 'sts_error' } } }]);
});

test('a run that was aborted within an exchange tells of no failure', async () => {
  const exchanging = createGate();
  const heard: PropagationFailure[] = [];
  const stage = await setStage({
    plugin: { onFailure: (failure) => heard.push(failure) },
    service: { fetch: heldExchanges(exchanging) },
  });
  const server = await stage.server('calendar');
  const abort = new AbortController();
  const model = new TestModel([call('calendar_tool'), 'Done.']);
  const running = stage.run(stage.runner(agentOf(model, [stage.toolset(server)])), 'alice', {
    signal: abort.signal,
  });
  await exchanging.reached(1);

  // As the reason of an abort it looks like a failure, and is none.
  abort.abort(new OnbehalfError('sts_error', 'of the test', { failure: 'denied' }));
  await running;

  expect(heard).toEqual([]);
});
