import { AgentTool, type BaseTool, FunctionTool, LOAD_MEMORY } from '@google/adk';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ScriptedCall } from '../../bench/scripted-model.ts';
import type { RunningMcpServer } from '../../examples/demo/mcp-server.ts';
import { agentOf, call, callsAt, exchanged, type Stage, setStage, TestModel, told } from './support.ts';

let stage: Stage;
let server: RunningMcpServer;

beforeEach(async () => {
  stage = await setStage();
  server = await stage.server('calendar');
});

const functionTool = new FunctionTool({
  name: 'add',
  description: 'Adds.',
  execute: () => 'three',
});

const agentTool = (): AgentTool =>
  new AgentTool({
    agent: agentOf(new TestModel(['I am the helper.']), [], { name: 'helper', description: 'Helps.' }),
  });

const others: [string, () => BaseTool, readonly ScriptedCall[]][] = [
  ['a FunctionTool', () => functionTool, call('add')],
  ['LOAD_MEMORY', () => LOAD_MEMORY, call('load_memory', { query: 'x' })],
  ['an AgentTool', agentTool, call('helper', { request: 'Help.' })],
];

describe('S3: a tool that is no MCP tool never triggers an exchange', () => {
  test.each(others)('%s', async (_what, make, step) => {
    const model = new TestModel([step, 'Done.']);
    const agent = agentOf(model, [make(), stage.toolset(server)]);
    const outcome = await stage.run(stage.runner(agent), 'alice');
    expect(outcome.failure).toBeUndefined();
    expect(outcome.answers.map(({ tool }) => tool)).toEqual([step[0]?.name]);
    expect(exchanged(stage.sts)).toEqual([]);
    expect(server.requests.filter(({ sub }) => sub !== undefined)).toEqual([]);
  });

  test.each(others)(
    '%s, called before and after an MCP tool, adds nothing to its one exchange',
    async (_what, make, step) => {
      const model = new TestModel([step, call('calendar_tool'), step, 'Done.']);
      const agent = agentOf(model, [make(), stage.toolset(server)]);
      const exchangesAt: number[] = [];
      model.onAsk = () => void exchangesAt.push(stage.sts.exchanges.length);
      await stage.run(stage.runner(agent), 'alice');
      expect(callsAt(server)).toEqual(['calendar_tool alice 200']);
      expect(exchangesAt).toEqual([0, 0, 1, 1]);
    },
  );

  test('a tool that only looks like an MCP tool is left alone', async () => {
    const lookalike = Object.assign(
      new FunctionTool({ name: 'add', description: 'Adds.', execute: () => 'three' }),
      { mcpSessionManager: { createSession: () => {}, connectionParams: { url: server.url } } },
    );
    const model = new TestModel([call('add'), 'Done.']);
    const outcome = await stage.run(
      stage.runner(agentOf(model, [lookalike, stage.toolset(server)])),
      'alice',
    );
    expect(told(outcome)).toEqual(['add: undefined']);
    expect(outcome.answers[0]?.response).toEqual({ result: 'three' });
    expect(exchanged(stage.sts)).toEqual([]);
  });

  test('a broken STS is of no interest to them', async () => {
    await stage.sts.close();
    const model = new TestModel([call('add'), call('load_memory', { query: 'x' }), 'Done.']);
    const agent = agentOf(model, [functionTool, LOAD_MEMORY, stage.toolset(server)]);
    const outcome = await stage.run(stage.runner(agent), 'alice', { token: await token() });
    expect(outcome.failure).toBeUndefined();
    expect(outcome.answers.map(({ tool }) => tool)).toEqual(['add', 'load_memory']);
  });

  const token = (): Promise<string> => stage.sts.mintSubjectToken({ sub: 'alice', audience: 'agent' });
});
