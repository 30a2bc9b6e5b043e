import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { RunningMcpServer } from '../../examples/demo/mcp-server.ts';
import type { DelegatedMCPToolset, DelegatedMCPToolsetOptions } from '../../src/adk/index.ts';
import {
  AGENT,
  agentOf,
  call,
  callsAt,
  exchanged,
  type Outcome,
  type Stage,
  setStage,
  strangers,
  subjectToken,
  TestModel,
  told,
} from './support.ts';

let stage: Stage;

beforeEach(async () => {
  stage = await setStage({ sts: { users: [{ sub: 'alice' }, { sub: 'bob' }, { sub: AGENT }] } });
});

const privateServer = (): Promise<RunningMcpServer> =>
  stage.server('calendar', { requireTokenForDiscovery: true });

/** The agent's own token for a server. */
const agentCredential = (): Promise<string> =>
  stage.sts.mintSubjectToken({ sub: AGENT, audience: 'calendar' });

/** Runs an agent that calls the calendar's tool, or another. */
function run(toolset: DelegatedMCPToolset, sub = 'alice', name = 'calendar_tool'): Promise<Outcome> {
  return stage.run(stage.runner(agentOf(new TestModel([call(name), 'Done.']), [toolset])), sub);
}

const runIdle = (toolset: DelegatedMCPToolset): Promise<Outcome> =>
  stage.run(stage.runner(agentOf(new TestModel(['Hello.']), [toolset])), 'alice');

/** Who listed the tools of a server, in order. */
const listers = ({ requests }: RunningMcpServer): (string | undefined)[] =>
  requests.filter(({ method, status }) => method === 'tools/list' && status === 200).map(({ sub }) => sub);

describe('under each policy a run that calls a tool succeeds, and tools are listed', () => {
  test.each<
    [string, boolean, Partial<DelegatedMCPToolsetOptions> | 'with credential', string | undefined, number]
  >([
    ['auto, where no token is wanted', false, {}, undefined, 1],
    ['auto, where a token is wanted and the agent has none', true, {}, 'alice', 1],
    ['anonymous', false, { discovery: 'anonymous' }, undefined, 1],
    ['delegated', false, { discovery: 'delegated' }, 'alice', 1],
    ['delegated, where a token is wanted', true, { discovery: 'delegated' }, 'alice', 1],
  ])('%s', async (_what, wanted, options, lister, exchanges) => {
    const server = wanted ? await privateServer() : await stage.server('calendar');
    const outcome = await run(stage.toolset(server, options as Partial<DelegatedMCPToolsetOptions>));
    expect(told(outcome)).toEqual(['calendar_tool: calendar of alice']);
    expect(listers(server)).toEqual([lister]);
    expect(stage.sts.exchanges).toHaveLength(exchanges);
    // Where `auto` tries without a token first, the server refuses that once.
    const first = wanted && Object.keys(options).length === 0 ? ['initialize 401'] : [];
    const strange = strangers(server, 'alice').map(({ method, status }) => `${method} ${status}`);
    expect(strange).toEqual(first);
  });

  test.each(['auto', 'agent'] as const)('%s, as the agent where it has a credential', async (discovery) => {
    const server = await privateServer();
    const outcome = await run(stage.toolset(server, { discovery, agentCredential }));
    expect(told(outcome)).toEqual(['calendar_tool: calendar of alice']);
    expect(listers(server)).toEqual([AGENT]);
    // The user's calls are made in another session: this server lets nobody into another subject's.
    expect(callsAt(server)).toEqual(['calendar_tool alice 200']);
    expect(server.requests.filter(({ status }) => status === 403)).toEqual([]);
  });

  test('agent, without a credential, is a mistake that is told when the toolset is made', async () => {
    const server = await stage.server('calendar');
    expect(() => stage.toolset(server, { discovery: 'agent' })).toThrow(/agentCredential/);
  });

  test('auto remembers what a server wanted: it is asked without a token once', async () => {
    const server = await privateServer();
    const toolset = stage.toolset(server);
    await run(toolset);
    await run(toolset, 'bob');
    const refused = server.requests.filter(({ status }) => status === 401);
    expect(refused.map(({ method, sub }) => `${method} ${sub}`)).toEqual(['initialize undefined']);
    expect(listers(server)).toEqual(['alice', 'bob']);
  });
});

describe('the catalogue outlives the run', () => {
  test('the second run lists nothing', async () => {
    const server = await stage.server('calendar');
    const toolset = stage.toolset(server);
    await run(toolset);
    await stage.plugin.settled();
    server.takeRequests();
    expect(told(await run(toolset, 'bob'))).toEqual(['calendar_tool: calendar of bob']);
    await stage.plugin.settled();
    expect(server.requests.map(({ method }) => method)).toEqual([
      'initialize',
      'notifications/initialized',
      'tools/call',
      'DELETE',
    ]);
  });

  test('a first run with four calls in one response lists once', async () => {
    const server = await stage.server('calendar');
    const script = [Array(4).fill(call('calendar_tool')).flat(), 'Done.'];
    await stage.run(stage.runner(agentOf(new TestModel(script), [stage.toolset(server)])), 'alice');
    expect(listers(server)).toEqual([undefined]);
    expect(callsAt(server)).toHaveLength(4);
  });

  test('under "delegated" each user has a listing of their own, for as long as their token is the same', async () => {
    const server = await privateServer();
    const toolset = stage.toolset(server, { discovery: 'delegated' });
    const runner = stage.runner(agentOf(new TestModel([call('calendar_tool'), 'Done.']), [toolset]));
    const tokens = {
      alice: await subjectToken(stage.sts, 'alice'),
      bob: await subjectToken(stage.sts, 'bob'),
    };
    for (const sub of ['alice', 'bob', 'alice'] as const)
      await stage.run(runner, sub, { token: tokens[sub] });
    expect(listers(server)).toEqual(['alice', 'bob']);
    expect(callsAt(server)).toEqual([
      'calendar_tool alice 200',
      'calendar_tool bob 200',
      'calendar_tool alice 200',
    ]);
  });

  test('until its time is over', async () => {
    stage = await setStage({ plugin: { catalogue: { ttlMs: 1_000 } } });
    const server = await stage.server('calendar');
    const toolset = stage.toolset(server);
    await run(toolset);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1_001 });
    try {
      await run(toolset);
    } finally {
      vi.useRealTimers();
    }
    expect(listers(server)).toHaveLength(2);
  });
});

describe('a server whose tools cannot be listed', () => {
  test('has none, and the run goes on with those of the others; the log says so once', async () => {
    const broken = await stage.server('mail');
    await broken.close();
    const server = await stage.server('calendar');
    const toolsets = [stage.toolset(broken), stage.toolset(server)];
    const model = new TestModel([call('calendar_tool'), 'Done.']);
    const outcome = await stage.run(stage.runner(agentOf(model, toolsets)), 'alice');
    expect(outcome.failure).toBeUndefined();
    expect(told(outcome)).toEqual(['calendar_tool: calendar of alice']);
    expect(model.asked.map(({ toolsDict }) => Object.keys(toolsDict))).toEqual(
      Array(2).fill(['calendar_tool']),
    );
    const warnings = stage.log.filter((line) => line.startsWith('WARN') && line.includes('cannot be listed'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('mail');
  });

  test.each(['anonymous', 'agent'] as const)(
    'because it wants a token and the policy is "%s": nobody’s token is shown to make up for it',
    async (discovery) => {
      const server = await privateServer();
      const wrong = (): Promise<string> => stage.sts.mintSubjectToken({ sub: AGENT, audience: 'mail' });
      const outcome = await runIdle(stage.toolset(server, { discovery, agentCredential: wrong }));
      expect(outcome.failure).toBeUndefined();
      expect(server.requests.every(({ sub, status }) => sub === undefined && status === 401)).toBe(true);
      expect(exchanged(stage.sts)).toEqual([]);
      expect(stage.log.join()).toContain('cannot be listed');
    },
  );

  test('because the exchange for it fails: nothing is sent, and no token is in the log', async () => {
    const server = await stage.server('calendar');
    stage.sts.inject({ kind: 'status', status: 503, times: Infinity });
    const outcome = await runIdle(stage.toolset(server, { discovery: 'delegated' }));
    expect(outcome.failure).toBeUndefined();
    expect(server.requests).toEqual([]);
    expect(stage.log.join()).toContain('503');
    expect(stage.log.join()).not.toMatch(/eyJ/);
  });

  test('works again in the next run, when the server does', async () => {
    const server = await stage.server('calendar');
    stage.sts.inject({ kind: 'status', status: 503, times: 1 });
    const toolset = stage.toolset(server, { discovery: 'delegated' });
    await run(toolset).catch(() => {});
    expect(told(await run(toolset))).toEqual(['calendar_tool: calendar of alice']);
  });
});

describe('at start-up, when ADK asks for tools without any context', () => {
  test('those of a server that wants no token are listed', async () => {
    const toolset = stage.toolset(await stage.server('calendar'));
    expect((await toolset.getTools()).map(({ name }) => name)).toEqual(['calendar_tool']);
    expect(exchanged(stage.sts)).toEqual([]);
  });

  test('those of a server that takes the agent’s token are listed', async () => {
    const toolset = stage.toolset(await privateServer(), { agentCredential });
    expect((await toolset.getTools()).map(({ name }) => name)).toEqual(['calendar_tool']);
  });

  test('those of a server that wants a user’s token are none, and later, in a run, they are there', async () => {
    const server = await privateServer();
    const toolset = stage.toolset(server);
    await expect(toolset.getTools()).resolves.toEqual([]);
    expect(told(await run(toolset))).toEqual(['calendar_tool: calendar of alice']);
  });

  test('the filter by names and the prefix hold', async () => {
    const server = await stage.server('calendar', { tools: ['read', 'write'] });
    const toolset = stage.toolset(server, { prefix: 'cal', toolFilter: ['cal_read'] });
    expect((await toolset.getTools()).map(({ name }) => name)).toEqual(['cal_read']);
    expect(told(await run(toolset, 'alice', 'cal_read'))).toEqual(['cal_read: calendar of alice']);
    expect(callsAt(server)).toEqual(['read alice 200']);
  });
});
