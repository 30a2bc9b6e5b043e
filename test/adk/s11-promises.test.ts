import { LOAD_MEMORY } from '@google/adk';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  agentOf,
  call,
  createGate,
  exchanged,
  type Stage,
  setStage,
  strangers,
  TestModel,
  told,
} from './support.ts';

const NAMES = ['calendar', 'mail', 'files'] as const;
let stage: Stage;

beforeEach(async () => {
  stage = await setStage();
});

describe('S11: an exchange that is not needed is never made', () => {
  test.each([
    ['an answer', ['Hello.']],
    ['a memory tool', [call('load_memory', { query: 'x' }), 'Done.']],
  ])(
    '0 in a run that calls no MCP tool but gives %s, and no request carries a user’s token',
    async (_what, script) => {
      const servers = await Promise.all(NAMES.map((name) => stage.server(name)));
      const tools = [LOAD_MEMORY, ...servers.map((server) => stage.toolset(server))];
      const outcome = await stage.run(stage.runner(agentOf(new TestModel(script), tools)), 'alice');
      expect(outcome.failure).toBeUndefined();
      expect(exchanged(stage.sts)).toEqual([]);
      for (const { requests } of servers) expect(requests.filter(({ sub }) => sub !== undefined)).toEqual([]);
    },
  );

  test('0 in such a run though a server wants a token for its tool list, where the agent has one of its own', async () => {
    stage = await setStage({ sts: { users: [{ sub: 'alice' }, { sub: 'agent' }] } });
    const server = await stage.server('calendar', { requireTokenForDiscovery: true });
    const toolset = stage.toolset(server, {
      agentCredential: () => stage.sts.mintSubjectToken({ sub: 'agent', audience: 'calendar' }),
    });
    await stage.run(stage.runner(agentOf(new TestModel(['Hello.']), [toolset])), 'alice');
    expect(exchanged(stage.sts)).toEqual([]);
    expect(server.requests.filter(({ sub }) => sub === 'alice')).toEqual([]);
    expect(server.requests.filter(({ sub }) => sub === 'agent')).not.toEqual([]);
  });

  test.each([1, 2, 3])('%i for as many targets, however often each is called', async (count) => {
    const servers = await Promise.all(NAMES.map((name) => stage.server(name)));
    const called = NAMES.slice(0, count).map((name) => call(`${name}_tool`));
    const model = new TestModel([...called, ...called, called.flat(), 'Done.']);
    const runner = stage.runner(
      agentOf(
        model,
        servers.map((server) => stage.toolset(server)),
      ),
    );
    const outcome = await stage.run(runner, 'alice');
    expect(told(outcome)).toHaveLength(3 * count);
    expect(exchanged(stage.sts)).toEqual(
      NAMES.slice(0, count)
        .map((name) => `alice ${name} issued`)
        .toSorted(),
    );
  });

  test('1 for N calls at once', async () => {
    const gate = createGate();
    const server = await stage.server('calendar', { onCall: () => gate.wait() });
    const toolset = stage.toolset(server);
    const model = new TestModel([call('calendar_tool'), 'Done.']);
    const runner = stage.runner(agentOf(model, [toolset]));
    const token = await stage.sts.mintSubjectToken({ sub: 'alice', audience: 'agent' });
    const runs = Array.from({ length: 6 }, () => stage.run(runner, 'alice', { token }));
    await gate.reached(6);
    gate.open();
    await Promise.all(runs);
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
  });
});

describe('S11: different servers never share a token', () => {
  test('in many runs of many users at once, each token is seen by one server only', async () => {
    const users = Array.from({ length: 8 }, (_, index) => `user${index}`);
    const gate = createGate();
    const servers = await Promise.all(NAMES.map((name) => stage.server(name, { onCall: () => gate.wait() })));
    const steps = NAMES.map((name) => call(`${name}_tool`));
    const model = new TestModel([...steps, 'Done.']);
    const runner = stage.runner(
      agentOf(
        model,
        servers.map((server) => stage.toolset(server)),
      ),
    );
    const runs = users.map((sub) => stage.run(runner, sub));
    await gate.reached(users.length);
    gate.open();
    for (const [index, outcome] of (await Promise.all(runs)).entries()) {
      expect(told(outcome)).toEqual(NAMES.map((name) => `${name}_tool: ${name} of user${index}`));
    }
    for (const server of servers) {
      expect(strangers(server, ...users)).toEqual([]);
      expect(new Set(server.requests.flatMap(({ aud }) => aud ?? []))).toEqual(new Set([server.name]));
    }
    expect(stage.sts.exchanges).toHaveLength(users.length * NAMES.length);
  });

  test('nor do two targets that differ in scope alone', async () => {
    const server = await stage.server('calendar');
    const one = stage.toolset(server, { prefix: 'plain' });
    const two = stage.toolset(server, {
      prefix: 'scoped',
      stsAudience: undefined,
      target: { audience: 'calendar', scope: 'read' },
    });
    const model = new TestModel([call('plain_calendar_tool'), call('scoped_calendar_tool'), 'Done.']);
    await stage.run(stage.runner(agentOf(model, [one, two])), 'alice');
    const calls = server.requests.filter(({ method }) => method === 'tools/call');
    expect(calls.map(({ scope }) => scope)).toEqual([undefined, 'read']);
    expect(stage.sts.exchanges).toHaveLength(2);
  });
});
