import { expect, test } from 'vitest';
import { agentTool, agentWith, BASE, brief, compiled, mcp, ours, problemsOf, server } from './objects.ts';

const bank = server('bank', { url: 'https://bank.example.com/mcp', stsAudience: 'bank' });
const weather = server('other/weather', {
  url: 'https://weather.example.com/mcp',
  stsAudience: 'bank',
  allowedNamespaces: { from: 'All' },
});
const tools = [mcp('bank'), mcp('other/weather')];

test('S11 a server that says the audience of another one is refused', () => {
  const problems = problemsOf(agentWith(tools), [...BASE, bank, weather]);
  expect(brief(problems)).toEqual(['Invalid Agent demo/assistant spec.declarative.tools[1].mcpServer']);
  expect(problems[0]?.message).toContain('a token for "bank" would go to other/weather and to demo/bank');
});

test('S11 so is one that says it among others, or as resource', () => {
  const both = { audiences: ['weather', 'bank'] };
  const among = server('other/weather', {
    ...(weather.spec as object),
    stsAudience: undefined,
    tokenExchange: both,
  });
  expect(problemsOf(agentWith(tools), [...BASE, bank, among])).toHaveLength(1);
  const resources = { resources: ['https://bank.example.com/mcp'] };
  const objects = [bank, weather].map(({ metadata, spec }) =>
    ours('RemoteMCPServer', `${metadata.namespace}/${metadata.name}`, {
      ...(spec as object),
      stsAudience: undefined,
      tokenExchange: resources,
    }),
  );
  expect(problemsOf(agentWith(tools), [...BASE, ...objects])).toHaveLength(1);
});

test('the Agent may say it of both itself: they are one service', () => {
  const said = ['bank', 'other/weather'].map((name) => mcp(name, { stsAudience: 'bank' }));
  expect(compiled(agentWith(said), [...BASE, bank, weather]).targets).toMatchObject([
    { audiences: ['bank'], from: { audiences: 'tool' } },
    { audiences: ['bank'], from: { audiences: 'tool' } },
  ]);
  const one = [mcp('bank'), mcp('other/weather', { stsAudience: 'bank' })];
  expect(problemsOf(agentWith(one), [...BASE, bank, weather])).toHaveLength(1);
});

test('servers of one origin may have one audience', () => {
  const second = server('second', { url: 'https://bank.example.com/more', stsAudience: 'bank' });
  expect(compiled(agentWith([mcp('bank'), mcp('second')]), [...BASE, bank, second]).targets).toHaveLength(2);
});

test('an agent that is a tool is at an origin of its own', () => {
  const teller = agentWith([], { stsAudience: 'bank', dangerouslyAllowInsecureHTTP: true }, 'teller');
  const problems = problemsOf(agentWith([mcp('bank'), agentTool('teller')]), [...BASE, bank, teller]);
  expect(brief(problems)).toEqual(['Invalid Agent demo/assistant spec.declarative.tools[1].agent']);
});
