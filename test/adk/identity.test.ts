// Where a run's user comes from: plugin.runAsync and the getter have their tests in s1 and s6; here is the rest.
import { FunctionTool } from '@google/adk';
import { beforeEach, describe, expect, test } from 'vitest';
import type { RunningMcpServer } from '../../examples/demo/mcp-server.ts';
import { bearerFromSessionState, type SubjectTokenGetter } from '../../src/adk/index.ts';
import { type Delegation, iterateAs, runAs } from '../../src/index.ts';
import {
  agentOf,
  call,
  callsAt,
  createGate,
  exchanged,
  type Outcome,
  play,
  type Stage,
  setStage,
  subjectToken,
  TestModel,
  told,
} from './support.ts';

const SCRIPT = [call('add'), call('calendar_tool'), 'Done.'];
const add = new FunctionTool({ name: 'add', description: 'Adds.', execute: () => 'three' });

let stage: Stage;
let server: RunningMcpServer;
let model: TestModel;
let runner: ReturnType<Stage['runner']>;

async function start(subject?: SubjectTokenGetter): Promise<void> {
  stage = await setStage(subject ? { plugin: { subjectToken: subject } } : {});
  server = await stage.server('calendar');
  model = new TestModel(SCRIPT);
  runner = stage.runner(agentOf(model, [add, stage.toolset(server)]));
}

beforeEach(() => start());

/** The run goes on without the user: function tools work, MCP tools say why they do not. */
function expectNoUser(outcome: Outcome, code: string): void {
  expect(outcome.failure).toBeUndefined();
  expect(outcome.answers[0]).toEqual({ tool: 'add', response: { result: 'three' } });
  expect(outcome.answers[1]?.response).toEqual({
    error: {
      code,
      failure: 'reauthentication_required',
      server: 'calendar',
      message: expect.any(String),
      retryable: false,
    },
  });
  expect(model.asked).toHaveLength(3);
  expect(callsAt(server)).toEqual([]);
  expect(exchanged(stage.sts)).toEqual([]);
  expect(stage.broker.stats()).toMatchObject({ delegations: 0, entries: 0 });
}

describe('a run without any user', () => {
  test('started by ADK’s own runAsync: MCP tools answer subject_missing, function tools work', async () => {
    const outcome = await stage.runPlain(runner);
    expectNoUser(outcome, 'subject_missing');
    expect(JSON.stringify(outcome.answers)).toContain('plugin.runAsync');
  });

  test.each([
    ['gives nothing', () => undefined, 'subject_missing'],
    ['gives an empty token', () => '', 'subject_missing'],
    ['gives no JWT', () => 'opaque-but-secret', 'subject_malformed'],
    ['gives a token with its scheme', () => 'Bearer opaque-but-secret', 'subject_malformed'],
    ['gives an expired token', () => subjectToken(stage.sts, 'alice', -5), 'subject_expired'],
    [
      'throws',
      () => {
        throw new Error('opaque-but-secret');
      },
      'subject_missing',
    ],
    ['rejects', () => Promise.reject(new Error('opaque-but-secret')), 'subject_missing'],
    ['throws what is no error', () => Promise.reject(null), 'subject_missing'],
  ] satisfies [string, SubjectTokenGetter, string][])(
    'because the getter %s: MCP tools say why, function tools work, and no secret is told',
    async (_what, getter, code) => {
      await start(getter);
      const outcome = await stage.runPlain(runner);
      expectNoUser(outcome, code);
      expect(JSON.stringify([outcome.events, stage.log])).not.toContain('opaque-but-secret');
    },
  );

  test('does not get the user of another run of the same session that is under way', async () => {
    const gate = createGate();
    server = await stage.server('calendar', { onCall: () => gate.wait() });
    const script = [call('calendar_tool'), 'Done.'];
    const tools = [stage.toolset(server)];
    const hers = stage.run(stage.runner(agentOf(new TestModel(script), tools)), 'alice');
    await gate.reached(1);
    const nobodys = await stage.runPlain(stage.runner(agentOf(new TestModel(script), tools)));
    expect(told(nobodys)).toEqual(['calendar_tool: subject_missing']);
    gate.open();
    expect(told(await hers)).toEqual(['calendar_tool: calendar of alice']);
    expect(callsAt(server)).toEqual(['calendar_tool alice 200']);
  });

  test('does not get the user of the last run of the same session', async () => {
    await stage.run(runner, 'alice');
    model.asked.length = 0;
    expect(told(await stage.runPlain(runner))[1]).toBe('calendar_tool: subject_missing');
    expect(callsAt(server)).toEqual(['calendar_tool alice 200']);
  });
});

describe('bearerFromSessionState', () => {
  const withHeaders = async (state: Record<string, unknown>): Promise<Outcome> => {
    await stage.sessions.createSession({ appName: 'app', userId: 'team', sessionId: 'kept', state });
    return stage.runPlain(runner, { sessionId: 'kept' });
  };

  test.each(['Authorization', 'authorization', 'AUTHORIZATION'])(
    'finds the bearer under %s',
    async (name) => {
      await start(bearerFromSessionState());
      const token = await subjectToken(stage.sts, 'alice');
      const outcome = await withHeaders({ headers: { 'x-other': '1', [name]: `bearer ${token}` } });
      expect(told(outcome)[1]).toBe('calendar_tool: calendar of alice');
    },
  );

  test('looks under another key where it is told to', async () => {
    await start(bearerFromSessionState('inbound'));
    const token = await subjectToken(stage.sts, 'alice');
    const outcome = await withHeaders({ headers: {}, inbound: { Authorization: `Bearer ${token}` } });
    expect(told(outcome)[1]).toBe('calendar_tool: calendar of alice');
  });

  test.each([
    ['no headers', {}, 'subject_missing'],
    ['headers that are no object', { headers: 'Bearer x' }, 'subject_missing'],
    ['no Authorization', { headers: { cookie: 'a=b' } }, 'subject_missing'],
    ['another scheme', { headers: { Authorization: 'Basic dXNlcjpwYXNz' } }, 'subject_malformed'],
    ['a value that is no string', { headers: { Authorization: ['Bearer x'] } }, 'subject_missing'],
    ['an empty bearer', { headers: { Authorization: 'Bearer ' } }, 'subject_malformed'],
  ])('with %s there is no user', async (_what, state, code) => {
    await start(bearerFromSessionState());
    expectNoUser(await withHeaders(state), code);
  });
});

describe('runAs around a run', () => {
  let alice: Delegation;

  beforeEach(async () => {
    alice = stage.broker.begin({ subjectToken: await subjectToken(stage.sts, 'alice') });
  });

  test('says on whose behalf it is', async () => {
    const outcome = await runAs(alice, () => stage.runPlain(runner));
    expect(told(outcome)[1]).toBe('calendar_tool: calendar of alice');
  });

  test('leaves the delegation to whoever began it: the run does not end it', async () => {
    await runAs(alice, () => stage.runPlain(runner));
    expect(stage.broker.stats()).toMatchObject({ delegations: 1, entries: 1 });
    await runAs(alice, () => stage.runPlain(runner));
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
    stage.broker.end(alice);
    expect(stage.broker.stats()).toMatchObject({ delegations: 0, entries: 0 });
  });

  test('goes before the getter', async () => {
    await start(() => subjectToken(stage.sts, 'bob'));
    const carried = stage.broker.begin({ subjectToken: await subjectToken(stage.sts, 'alice') });
    expect(told(await runAs(carried, () => stage.runPlain(runner)))[1]).toBe(
      'calendar_tool: calendar of alice',
    );
  });

  test.each([
    ['', undefined],
    [', even where the getter knows another', () => subjectToken(stage.sts, 'bob')],
  ])('that has ended already gives no user%s: the run was meant for that one', async (_what, getter) => {
    await start(getter);
    const ended = stage.broker.begin({ subjectToken: await subjectToken(stage.sts, 'alice') });
    stage.broker.end(ended);
    const outcome = await runAs(ended, () => stage.runPlain(runner));
    expectNoUser(outcome, 'delegation_ended');
  });

  test('of a generator that is consumed elsewhere is what iterateAs is for', async () => {
    const params = await stage.params();
    const events = iterateAs(alice, () => runner.runAsync(params));
    expect(told(await play(events))[1]).toBe('calendar_tool: calendar of alice');
  });

  test('does not reach a run of plugin.runAsync within it, which has its own user', async () => {
    expect(told(await runAs(alice, () => stage.run(runner, 'bob')))[1]).toBe(
      'calendar_tool: calendar of bob',
    );
    expect(callsAt(server)).toEqual(['calendar_tool bob 200']);
  });

  test('with the delegation of another broker gives no user: nothing goes out as that one', async () => {
    const other = await setStage();
    const foreign = other.broker.begin({ subjectToken: await subjectToken(other.sts, 'alice') });
    stage.broker.end(alice);
    const outcome = await runAs(foreign, () => stage.runPlain(runner));
    expectNoUser(outcome, 'subject_missing');
    expect(exchanged(other.sts)).toEqual([]);
  });

  test('with the delegation of another broker leaves a run its own user, by the getter', async () => {
    const other = await setStage();
    const foreign = other.broker.begin({ subjectToken: await subjectToken(other.sts, 'alice') });
    await start(() => subjectToken(stage.sts, 'bob'));
    expect(told(await runAs(foreign, () => stage.runPlain(runner)))[1]).toBe(
      'calendar_tool: calendar of bob',
    );
  });
});
