import { MCPToolset } from '@google/adk';
import { beforeEach, describe, expect, test } from 'vitest';
import { ADKTokenPropagationPlugin, DelegatedMCPToolset } from '../../src/adk/index.ts';
import { agentOf, call, callsAt, exchanged, type Stage, setStage, TestModel } from './support.ts';

let stage: Stage;

beforeEach(async () => {
  stage = await setStage();
});

describe('S9: an audience given when the toolset is registered wins over the toolset’s own', () => {
  test('for an agent that overrides it, while another agent keeps the default', async () => {
    const server = await stage.server('files', { audience: 'files-eu' });
    const make = (): DelegatedMCPToolset =>
      new DelegatedMCPToolset({ url: server.url, stsAudience: 'files' });
    const [overridden, plain] = [make(), make()];
    stage.plugin.registerToolset(overridden, 'files-eu');
    stage.plugin.registerToolset(plain);
    const model = (): TestModel => new TestModel([call('files_tool'), 'Done.']);
    await stage.run(stage.runner(agentOf(model(), [overridden])), 'alice');
    expect(exchanged(stage.sts)).toEqual(['alice files-eu issued']);
    expect(callsAt(server)).toEqual(['files_tool alice 200']);
    await stage.run(stage.runner(agentOf(model(), [plain])), 'bob');
    expect(new Set(exchanged(stage.sts))).toEqual(new Set(['alice files-eu issued', 'bob files issued']));
    // The default is not this server's audience, so it let none of Bob's requests pass.
    expect(server.requests.filter(({ sub }) => sub === 'bob')).toEqual([]);
  });

  test('also over a richer target, and by a richer target', async () => {
    const server = await stage.server('calendar');
    const toolset = new DelegatedMCPToolset({
      url: server.url,
      target: { audience: 'mail', scope: 'write' },
    });
    stage.plugin.registerToolset(toolset, { audience: 'calendar', scope: 'read' });
    await stage.run(stage.runner(agentOf(new TestModel([call('calendar_tool')]), [toolset])), 'alice');
    expect(stage.sts.exchanges).toMatchObject([{ audience: ['calendar'], scope: 'read', outcome: 'issued' }]);
  });

  test('for one plugin only: each agent’s plugin has its own toolset object', async () => {
    const server = await stage.server('files', { audience: 'files-eu' });
    const other = new ADKTokenPropagationPlugin({ broker: stage.broker });
    const stock = new MCPToolset({ type: 'StreamableHTTPConnectionParams', url: server.url });
    other.registerToolset(stock, 'files-eu');
    const runner = stage.runner(agentOf(new TestModel([call('files_tool')]), [stock]), [other]);
    const token = await stage.sts.mintSubjectToken({ sub: 'alice', audience: 'agent' });
    for await (const _ of other.runAsync(runner, { ...(await stage.params()), subjectToken: token }));
    await other.close();
    expect(callsAt(server)).toEqual(['files_tool alice 200']);
  });
});
