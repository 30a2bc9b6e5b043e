import { inspect } from 'node:util';
import { LlmAgent } from '@google/adk';
import { expect, it } from 'vitest';
import { ScriptedModel } from '../../bench/scripted-model.ts';
import { ADKTokenPropagationPlugin, DelegatedMCPToolset } from '../../src/adk/index.ts';
import { createBroker } from '../../src/broker/broker.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { defineMcpServer } from '../../src/mcp/server.ts';

const SECRET = 'static-api-key-0123456789';
const headers = { 'X-Api-Key': SECRET };
const url = 'https://mcp.example.com/mcp';

it('shows a static header field in nothing that is printed', async () => {
  const tokenService = createTokenService({
    tokenEndpoint: 'https://sts.example.com/token',
    clientId: 'agent',
  });
  const plugin = new ADKTokenPropagationPlugin({ broker: createBroker({ tokenService }) });
  const toolset = new DelegatedMCPToolset({ url, stsAudience: 'calendar', headers });
  plugin.registerToolset(toolset);
  const agent = new LlmAgent({ name: 'agent', model: new ScriptedModel(() => []), tools: [toolset] });
  const server = defineMcpServer({ url, target: 'calendar', headers });
  for (const printed of [plugin, toolset, agent, server]) {
    expect(inspect(printed, { depth: Number.POSITIVE_INFINITY, showHidden: true })).not.toContain(SECRET);
  }
  expect(JSON.stringify([server, toolset])).not.toContain(SECRET);
  expect(server.headers()).toEqual([['x-api-key', SECRET]]);
  await plugin.close();
});
