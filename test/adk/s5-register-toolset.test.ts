import { FunctionTool, MCPToolset } from '@google/adk';
import { beforeEach, describe, expect, test } from 'vitest';
import type { RunningMcpServer } from '../../examples/demo/mcp-server.ts';
import { DelegatedMCPToolset } from '../../src/adk/index.ts';
import { isOnbehalfError } from '../../src/index.ts';
import {
  agentOf,
  call,
  callsAt,
  exchanged,
  failure,
  methodsAt,
  type Stage,
  setStage,
  TestModel,
  told,
} from './support.ts';

let stage: Stage;
let server: RunningMcpServer;

beforeEach(async () => {
  stage = await setStage();
  server = await stage.server('files');
});

const ours = (
  options: Partial<ConstructorParameters<typeof DelegatedMCPToolset>[0]> = {},
): DelegatedMCPToolset => new DelegatedMCPToolset({ url: server.url, stsAudience: 'files', ...options });

const stock = (more: object = {}, prefix?: string): MCPToolset =>
  new MCPToolset({ type: 'StreamableHTTPConnectionParams', url: server.url, ...more }, [], prefix);

describe('S5: registerToolset knows a toolset by the object itself', () => {
  test('two toolsets for one URL have each their own audience', async () => {
    const [one, two] = [ours({ prefix: 'one' }), ours({ prefix: 'two', stsAudience: 'files-eu' })];
    stage.plugin.registerToolset(one);
    stage.plugin.registerToolset(two);
    const model = new TestModel([call('one_files_tool'), call('two_files_tool'), 'Done.']);
    const outcome = await stage.run(stage.runner(agentOf(model, [one, two])), 'alice');
    // This server accepts the audience `files` alone: the other toolset’s token is refused, and nothing makes up for it.
    expect(new Set(exchanged(stage.sts))).toEqual(new Set(['alice files issued', 'alice files-eu issued']));
    expect(callsAt(server)).toEqual(['files_tool alice 200']);
    expect(told(outcome)).toEqual([
      'one_files_tool: files of alice',
      'two_files_tool: server_rejected_token',
    ]);
  });

  test('two stock toolsets for one URL have each their own audience', async () => {
    const [one, two] = [stock({}, 'one'), stock({}, 'two')];
    stage.plugin.registerToolset(one, 'files');
    stage.plugin.registerToolset(two, 'files-eu');
    const model = new TestModel([call('one_files_tool'), call('two_files_tool'), 'Done.']);
    const outcome = await stage.run(stage.runner(agentOf(model, [one, two])), 'alice');
    expect(new Set(exchanged(stage.sts))).toEqual(new Set(['alice files issued', 'alice files-eu issued']));
    expect(callsAt(server)).toEqual(['files_tool alice 200']);
    expect(told(outcome)).toEqual([
      'one_files_tool: files of alice',
      'two_files_tool: server_rejected_token',
    ]);
  });

  test('a toolset of ours that is made anew with the same options is not taken for the old one', async () => {
    stage.plugin.registerToolset(ours());
    expect(await failure(ours().getTools())).toMatchObject({
      code: 'toolset_unregistered',
      failure: 'misconfigured',
    });
    expect(server.requests).toEqual([]);
  });

  test('a stock toolset that is made anew with the same parameters is not taken for the old one', async () => {
    const params = { type: 'StreamableHTTPConnectionParams' as const, url: server.url };
    stage.plugin.registerToolset(new MCPToolset(params), 'files');
    const model = new TestModel([call('files_tool'), 'Done.']);
    await stage.run(stage.runner(agentOf(model, [new MCPToolset(params)])), 'alice');
    expect(exchanged(stage.sts)).toEqual([]);
    expect(server.requests.filter(({ sub }) => sub !== undefined)).toEqual([]);
  });

  test('a tool is resolved to its toolset, not by its name', async () => {
    const toolset = ours();
    stage.plugin.registerToolset(toolset);
    const namesake = new FunctionTool({
      name: 'files_tool',
      description: 'Not MCP.',
      execute: () => 'local',
    });
    const model = new TestModel([call('files_tool'), 'Done.']);
    const outcome = await stage.run(stage.runner(agentOf(model, [namesake])), 'alice');
    expect(outcome.answers).toEqual([{ tool: 'files_tool', response: { result: 'local' } }]);
    expect([exchanged(stage.sts), server.requests]).toEqual([[], []]);
  });
});

describe('S5: a toolset that is not registered', () => {
  test('of ours ends the run with a coded error that names it, and nothing was requested', async () => {
    const model = new TestModel([call('files_tool'), 'Done.']);
    const runner = stage.runner(agentOf(model, [ours({ name: 'the files' })]));
    const outcome = await stage.run(runner, 'alice');
    expect(isOnbehalfError(outcome.failure) && outcome.failure).toMatchObject({
      code: 'toolset_unregistered',
      message: expect.stringContaining('the files'),
    });
    expect([exchanged(stage.sts), server.requests]).toEqual([[], []]);
    expect(stage.broker.stats()).toMatchObject({ delegations: 0, entries: 0 });
  });

  test('of ADK’s is left alone: its calls go out as they did before, without an exchange', async () => {
    const model = new TestModel([call('files_tool'), 'Done.']);
    const outcome = await stage.run(stage.runner(agentOf(model, [stock()])), 'alice');
    expect(outcome.answers.map(({ tool }) => tool)).toEqual(['files_tool']);
    // Without a token this server refuses calls; what matters is that nobody gave one.
    expect(callsAt(server)).toEqual(['files_tool undefined 401']);
    expect(exchanged(stage.sts)).toEqual([]);
  });

  test('of ADK’s keeps a credential of its own', async () => {
    const token = await stage.sts.mintSubjectToken({ sub: 'bob', audience: 'files' });
    const model = new TestModel([call('files_tool'), 'Done.']);
    const toolset = stock({ header: { Authorization: `Bearer ${token}` } });
    const outcome = await stage.run(stage.runner(agentOf(model, [toolset])), 'alice');
    expect(told(outcome)).toEqual(['files_tool: files of bob']);
    expect(exchanged(stage.sts)).toEqual([]);
  });
});

describe('S5: registering', () => {
  test.each([
    ['ours', () => ours()],
    ['ADK’s', () => stock()],
  ])(
    'a toolset twice is a mistake (%s), by the same plugin or another, and the first stays in force',
    async (_whose, make) => {
      const other = await setStage();
      const toolset = make();
      stage.plugin.registerToolset(toolset, 'files');
      expect(() => stage.plugin.registerToolset(toolset, 'files-eu')).toThrow(TypeError);
      expect(() => other.plugin.registerToolset(toolset, 'files-eu')).toThrow(/registered already/);
      const model = new TestModel([call('files_tool'), 'Done.']);
      await stage.run(stage.runner(agentOf(model, [toolset])), 'alice');
      expect(callsAt(server)).toEqual(['files_tool alice 200']);
      expect([exchanged(stage.sts), exchanged(other.sts)]).toEqual([['alice files issued'], []]);
    },
  );

  test('a toolset of ADK’s without an audience is a mistake', () => {
    expect(() => stage.plugin.registerToolset(stock())).toThrow(/audience/);
    expect(() => stage.plugin.registerToolset(stock())).toThrow(TypeError);
  });

  test('a toolset of ours without any audience is a mistake, unless one is given here', () => {
    const bare = (): DelegatedMCPToolset => new DelegatedMCPToolset({ url: server.url });
    expect(() => stage.plugin.registerToolset(bare())).toThrow(TypeError);
    expect(() => stage.plugin.registerToolset(bare(), 'files')).not.toThrow();
  });

  test.each(['', ' ', {}, { audience: [] }, { resource: 'not a URI' }])('for %j is a mistake', (target) => {
    expect(() => stage.plugin.registerToolset(ours(), target)).toThrow(TypeError);
  });

  test('both "stsAudience" and "target" is a mistake', () => {
    expect(() => ours({ target: { audience: 'files' } })).toThrow(/not both/);
  });

  test('a stdio toolset is not supported: there are no header fields in a pipe', () => {
    const toolset = new MCPToolset({ type: 'StdioConnectionParams', serverParams: { command: 'nothing' } });
    expect(() => stage.plugin.registerToolset(toolset, 'files')).toThrow(
      expect.objectContaining({ code: 'toolset_unsupported', failure: 'misconfigured' }),
    );
  });

  test('a toolset with an authProvider of its own is not supported: it would send another identity', () => {
    const toolset = stock({ transportOptions: { authProvider: { token: async () => 'eyJ.own' } } });
    expect(() => stage.plugin.registerToolset(toolset, 'files')).toThrow(
      expect.objectContaining({ code: 'toolset_unsupported' }),
    );
  });

  test('what is no MCPToolset is not supported', () => {
    expect(() => stage.plugin.registerToolset({} as MCPToolset, 'files')).toThrow(
      expect.objectContaining({ code: 'toolset_unsupported' }),
    );
  });

  test.each([
    ['ours', (url: string) => new DelegatedMCPToolset({ url, stsAudience: 'files' })],
    ['ADK’s', (url: string) => new MCPToolset({ type: 'StreamableHTTPConnectionParams', url })],
  ])('a server in plain http off loopback is refused (%s)', (_whose, make) => {
    expect(() => stage.plugin.registerToolset(make('http://mcp.example/mcp'), 'files')).toThrow(
      expect.objectContaining({ code: 'insecure_url', failure: 'misconfigured' }),
    );
    expect(() => stage.plugin.registerToolset(make('https://mcp.example/mcp'), 'files')).not.toThrow();
  });

  test('a server in plain http off loopback is taken where that is allowed by name', () => {
    const options = { url: 'http://mcp.example/mcp', dangerouslyAllowInsecureHttp: true };
    expect(() => stage.plugin.registerToolset(ours(options))).not.toThrow();
  });

  test('that failed leaves the toolset as it was', async () => {
    const toolset = stock();
    expect(() => stage.plugin.registerToolset(toolset)).toThrow(TypeError);
    stage.plugin.registerToolset(toolset, 'files');
    const model = new TestModel([call('files_tool'), 'Done.']);
    const outcome = await stage.run(stage.runner(agentOf(model, [toolset])), 'alice');
    expect(told(outcome)).toEqual(['files_tool: files of alice']);
  });

  test('requests nothing: neither the server nor the STS hears of it', () => {
    stage.plugin.registerToolset(ours());
    expect([methodsAt(server), exchanged(stage.sts)]).toEqual([[], []]);
  });
});
