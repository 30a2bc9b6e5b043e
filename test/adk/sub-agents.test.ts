import { AgentTool, type LlmAgent, LoopAgent, ParallelAgent, SequentialAgent } from '@google/adk';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Step } from '../../bench/scripted-model.ts';
import type { RunningMcpServer } from '../../examples/demo/mcp-server.ts';
import type { DelegatedMCPToolset } from '../../src/adk/index.ts';
import {
  agentOf,
  call,
  callsAt,
  createGate,
  exchanged,
  type Gate,
  type Stage,
  setStage,
  strangers,
  subjectToken,
  TestModel,
  told,
} from './support.ts';

const SCRIPT: readonly Step[] = [call('calendar_tool'), 'Done.'];
let stage: Stage;
let server: RunningMcpServer;
let toolset: DelegatedMCPToolset;
let gate: Gate | undefined;

beforeEach(async () => {
  gate = undefined;
  await start();
});

async function start(options: Parameters<typeof setStage>[0] = {}): Promise<void> {
  stage = await setStage(options);
  server = await stage.server('calendar', { onCall: () => gate?.wait() });
  toolset = stage.toolset(server);
}

const sub = (name: string, tools: readonly DelegatedMCPToolset[], script = SCRIPT): LlmAgent =>
  agentOf(new TestModel(script), tools, { name, description: `The ${name}.` });

/** The last event's text, where an AgentTool puts the inner agent's last word. */
const wordsOf = (answers: readonly { response: Record<string, unknown> }[]): unknown[] =>
  answers.map(({ response }) => response.result);

describe('a sub-agent', () => {
  test('that the model transfers to calls on behalf of the run’s user', async () => {
    const model = new TestModel([call('transfer_to_agent', { agentName: 'planner' })]);
    const root = agentOf(model, [], { name: 'root', subAgents: [sub('planner', [toolset])] });
    const outcome = await stage.run(stage.runner(root), 'alice');
    expect(outcome.failure).toBeUndefined();
    expect(told(outcome)).toContain('calendar_tool: calendar of alice');
    expect(callsAt(server)).toEqual(['calendar_tool alice 200']);
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
    expect(stage.broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
  });

  test('shares the run’s token with the agent that transferred to it', async () => {
    const model = new TestModel([call('calendar_tool'), call('transfer_to_agent', { agentName: 'planner' })]);
    const root = agentOf(model, [toolset], { name: 'root', subAgents: [sub('planner', [toolset])] });
    await stage.run(stage.runner(root), 'alice');
    expect(callsAt(server)).toEqual(Array(2).fill('calendar_tool alice 200'));
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
  });

  test('of a ParallelAgent calls on behalf of the run’s user, and they share one exchange', async () => {
    gate = createGate();
    const root = new ParallelAgent({
      name: 'root',
      subAgents: ['one', 'two', 'three'].map((name) => sub(name, [toolset])),
    });
    const run = stage.run(stage.runner(root), 'alice');
    await gate.reached(3);
    gate.open();
    expect(told(await run)).toEqual(Array(3).fill('calendar_tool: calendar of alice'));
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
  });

  test('of a ParallelAgent acts for its own run’s user when two users run it at once', async () => {
    gate = createGate();
    const root = new ParallelAgent({
      name: 'root',
      subAgents: ['one', 'two'].map((name) => sub(name, [toolset])),
    });
    const runner = stage.runner(root);
    const runs = ['alice', 'bob'].map((user) => stage.run(runner, user));
    await gate.reached(4);
    gate.open();
    const [hers, his] = await Promise.all(runs);
    expect(hers && told(hers)).toEqual(Array(2).fill('calendar_tool: calendar of alice'));
    expect(his && told(his)).toEqual(Array(2).fill('calendar_tool: calendar of bob'));
  });

  test.each([
    ['SequentialAgent', (subAgents: LlmAgent[]) => new SequentialAgent({ name: 'root', subAgents })],
    ['LoopAgent', (subAgents: LlmAgent[]) => new LoopAgent({ name: 'root', subAgents, maxIterations: 1 })],
  ])('of a %s calls on behalf of the run’s user', async (_kind, make) => {
    const root = make([sub('one', [toolset]), sub('two', [toolset])]);
    const outcome = await stage.run(stage.runner(root), 'alice');
    expect(outcome.failure).toBeUndefined();
    expect(callsAt(server).length).toBeGreaterThan(0);
    expect(strangers(server, 'alice')).toEqual([]);
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
  });
});

describe.each([
  ['plugin.runAsync', false],
  ['the getter alone', true],
])('inside an AgentTool, where ADK runs no plugins, with %s', (_how, byGetter) => {
  /** Each message names a user whose token the getter gives. */
  const tokens = new Map<string, string>();

  beforeEach(async () => {
    const getter = {
      subjectToken: (context: { userContent?: { parts?: { text?: string }[] } }) =>
        tokens.get(context.userContent?.parts?.[0]?.text ?? ''),
    };
    await start(byGetter ? { plugin: getter as never } : {});
    for (const user of ['alice', 'bob']) tokens.set(user, await subjectToken(stage.sts, user));
  });

  const run = (runner: ReturnType<Stage['runner']>, user: string) =>
    byGetter ? stage.runPlain(runner, { message: user }) : stage.run(runner, user, { message: user });

  /** Agents in agents, so many deep; the innermost calls the server and repeats what it said. */
  function nested(depth: number, tools = [toolset]): LlmAgent {
    let agent = sub('helper0', tools);
    for (let level = 1; level <= depth; level++) {
      const script = [call(`helper${level - 1}`, { request: 'Please.' }), 'Passed on.'];
      agent = agentOf(new TestModel(script), [new AgentTool({ agent })], {
        name: `helper${level}`,
        description: '.',
      });
    }
    return agent;
  }

  test.each([1, 2, 3])('%i deep, calls are made on behalf of the run’s user', async (depth) => {
    const outcome = await run(stage.runner(nested(depth)), 'alice');
    expect(outcome.failure).toBeUndefined();
    expect(wordsOf(outcome.answers)).toEqual([depth === 1 ? 'Done.' : 'Passed on.']);
    expect(callsAt(server)).toEqual(['calendar_tool alice 200']);
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
    expect(stage.broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
  });

  test('two users in the same session at once are never mixed up', async () => {
    gate = createGate();
    const runner = stage.runner(nested(2));
    const runs = ['alice', 'bob'].map((user) => run(runner, user));
    await gate.reached(2);
    gate.open();
    await Promise.all(runs);
    expect(callsAt(server).toSorted()).toEqual(['calendar_tool alice 200', 'calendar_tool bob 200']);
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued', 'bob calendar issued']);
    expect(server.requests.filter(({ status }) => status >= 400)).toEqual([]);
  });

  test('the outer agent’s token is used, not another', async () => {
    const inner = sub('helper', [toolset]);
    const script = [
      call('calendar_tool'),
      call('helper', { request: 'Please.' }),
      call('calendar_tool'),
      'Done.',
    ];
    const outer = agentOf(new TestModel(script), [toolset, new AgentTool({ agent: inner })], {
      name: 'outer',
    });
    await run(stage.runner(outer), 'alice');
    expect(callsAt(server)).toEqual(Array(3).fill('calendar_tool alice 200'));
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
  });

  test('a failed exchange is told to the inner model, and nothing is sent', async () => {
    stage.sts.inject({ kind: 'status', status: 503 });
    const inner = new TestModel(SCRIPT);
    const helper = agentOf(inner, [toolset], { name: 'helper', description: '.' });
    const outer = agentOf(new TestModel([call('helper', { request: 'Please.' }), 'Done.']), [
      new AgentTool({ agent: helper }),
    ]);
    const outcome = await run(stage.runner(outer), 'alice');
    expect(wordsOf(outcome.answers)).toEqual(['Done.']);
    expect(inner.asked).toHaveLength(2);
    expect(JSON.stringify(inner.asked.at(-1)?.contents)).toContain('"code":"sts_error"');
    expect(callsAt(server)).toEqual([]);
  });

  test('an AgentTool used by a second run acts for that run’s user', async () => {
    const runner = stage.runner(nested(1));
    for (const user of ['alice', 'bob']) await run(runner, user);
    expect(callsAt(server)).toEqual(['calendar_tool alice 200', 'calendar_tool bob 200']);
  });
});
