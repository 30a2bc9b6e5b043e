import { expect, test } from 'vitest';
import { readRuntimeConfig } from '../../../src/config/read-config.ts';
import type { Agent } from '../../../src/kubernetes/api/agent.ts';
import { compileAgent } from '../../../src/kubernetes/compile/compile-agent.ts';
import { lookUpOf } from '../../../src/kubernetes/look-up.ts';
import {
  agentTool,
  agentWith,
  BASE,
  brief,
  compiled,
  compiling,
  data,
  mcp,
  model,
  ours,
  problemsOf,
  server,
  service,
} from './objects.ts';

const NOWHERE = lookUpOf([]);

test('S10 an Agent with two servers and two audiences compiles to what the agent server reads', () => {
  const agent = agentWith(
    [mcp('calendar'), mcp('tools/mail', { stsAudience: 'mail-of-assistant', toolNames: ['send'] })],
    { description: 'Helps.', declarative: { systemMessage: 'Be kind.', stream: true } },
  );
  const objects = [
    ...BASE,
    server('calendar', { stsAudience: 'calendar' }),
    server('tools/mail', { stsAudience: 'mail', allowedNamespaces: { from: 'All' } }),
  ];
  const { config, tokens, targets } = compiled(agent, objects);
  expect(config).toEqual({
    name: 'demo/assistant',
    model: { type: 'openai', model: 'example-model' },
    description: 'Helps.',
    instruction: 'Be kind.',
    http_tools: [
      {
        name: 'demo/calendar',
        params: { url: 'https://calendar.example.com/mcp', timeout: 30, terminate_on_close: true },
        sts_audience: 'calendar',
      },
      {
        name: 'tools/mail',
        params: { url: 'https://tools-mail.example.com/mcp', timeout: 30, terminate_on_close: true },
        tools: ['send'],
        sts_audience: 'mail-of-assistant',
      },
    ],
    sse_tools: [],
    remote_agents: [],
    stream: true,
    token_exchange: {
      token_services: {
        'demo/default': {
          issuer: 'https://sts.example.com/default',
          client_id: 'agents',
          client_authentication: { method: 'none' },
          actor: { source: 'file', path: tokens[0]?.path },
          dangerously_allow_insecure_http: false,
        },
      },
      default_token_service: 'demo/default',
      retention: 'run',
    },
    authentication: {
      mode: 'jwt',
      audience: 'demo/assistant',
      issuers: [{ issuer: 'https://sts.example.com/default' }],
    },
  });
  expect(readRuntimeConfig(config)).toStrictEqual({ config });
  expect(targets.map(({ server: name, audiences }) => [name, audiences])).toEqual([
    ['demo/calendar', ['calendar']],
    ['tools/mail', ['mail-of-assistant']],
  ]);
});

test('S10 an image that the user brings gets its TokenService and authentication, and no model', () => {
  const byo = { deployment: { image: 'registry.example.com/agent:1' } };
  const { config } = compiled(ours('Agent', 'assistant', { type: 'BYO', byo }));
  expect(config).toMatchObject({
    model: null,
    instruction: '',
    http_tools: [],
    token_exchange: { default_token_service: 'demo/default' },
    authentication: { mode: 'jwt' },
  });
});

test('everything that is wrong is told at once, in the order of the tools, and the parts after them', () => {
  const agent = agentWith(
    [mcp('gone'), mcp('calendar', { toolNames: ['lst'] }), agentTool('assistant'), mcp('mail')],
    {
      declarative: { modelConfig: 'gone', systemMessageFrom: { type: 'ConfigMap', name: 'gone', key: 'a' } },
    },
  );
  const objects = [
    server('calendar', { stsAudience: 'calendar' }, { status: { discoveredTools: [{ name: 'list' }] } }),
    server('mail', { url: 'http://mail.demo.svc/mcp', stsAudience: 'mail' }),
  ];
  expect(brief(problemsOf(agent, objects))).toEqual([
    'NotFound Agent demo/assistant spec.declarative.tools[0].mcpServer.name',
    'UnknownTool Agent demo/assistant spec.declarative.tools[1].mcpServer.toolNames[0]',
    'NoTokenService Agent demo/assistant spec.declarative.tools[1].mcpServer',
    'AgentCycle Agent demo/assistant spec.declarative.tools[2].agent.name',
    'Invalid RemoteMCPServer demo/mail spec.url',
    'NoTokenService Agent demo/assistant spec.declarative.tools[3].mcpServer',
    'NotFound Agent demo/assistant spec.declarative.modelConfig',
    'NotFound Agent demo/assistant spec.declarative.systemMessageFrom.name',
    'NoTokenService Agent demo/assistant spec.authentication.issuers',
  ]);
});

test('all fields that break the schema of an Agent are told at once', () => {
  const agent = agentWith([{ type: 'McpServer' }, mcp('mail', { stsAudience: '', extra: 1 })], {
    authentication: { mode: 'Maybe' },
    stsAudience: 'a',
    tokenExchange: { audiences: ['b'] },
  });
  const fields = brief(problemsOf(agent));
  expect(fields).toEqual(
    expect.arrayContaining([
      'Invalid Agent demo/assistant spec.declarative.tools[0]',
      'Invalid Agent demo/assistant spec.declarative.tools[1].mcpServer.stsAudience',
      'Invalid Agent demo/assistant spec.declarative.tools[1].mcpServer',
      'Invalid Agent demo/assistant spec.authentication.mode',
    ]),
  );
});

test('a problem with what several tools share is told once', () => {
  const agent = agentWith([mcp('a'), mcp('b')], { tokenServiceRef: { name: 'gone' } });
  const objects = [model(), server('a', { stsAudience: 'a' }), server('b', { stsAudience: 'b' })];
  expect(brief(problemsOf(agent, objects))).toEqual([
    'NotFound Agent demo/assistant spec.tokenServiceRef.name',
  ]);
});

test.each([
  [
    'another group',
    { apiVersion: 'kagent.dev/v1alpha2', kind: 'Agent', metadata: { name: 'a' } },
    'apiVersion',
  ],
  ['another kind', { apiVersion: 'onbehalf.dev/v1alpha1', kind: 'Pod', metadata: { name: 'a' } }, 'kind'],
  ['no spec', { apiVersion: 'onbehalf.dev/v1alpha1', kind: 'Agent', metadata: { name: 'a' } }, 'spec'],
  [
    'metadata that is none',
    { apiVersion: 'onbehalf.dev/v1alpha1', kind: 'Agent', metadata: 7 },
    'metadata.name',
  ],
])('an object with %s is a problem, and nothing is thrown', (_, object, field) => {
  const { problems = [] } = compileAgent(object as unknown as Agent, NOWHERE);
  expect(problems.map((problem) => problem.field)).toContain(field);
});

test.each(['a.b', '1a', 'A', 'a'.repeat(64), ''])(
  'an Agent cannot be called %j: its Service could not',
  (name) => {
    const agent = { ...agentWith([]), metadata: { namespace: 'demo', name } };
    expect(problemsOf(agent).map(({ field }) => field)).toEqual(['metadata.name']);
  },
);

test('an Agent without a namespace is in the namespace default', () => {
  const agent = { ...agentWith([]), metadata: { name: 'assistant' } };
  const objects = [model({}, 'default/default-model-config'), service('default/default')];
  expect(compiled(agent, objects).config.name).toBe('default/assistant');
});

test('all that was looked for is a dependency, found or not, each once, sorted', () => {
  const agent = agentWith([mcp('gone'), mcp('mail'), mcp('tools/mail')]);
  const { dependencies } = compiling(agent, [model(), server('mail', { stsAudience: 'mail' })]);
  expect(dependencies.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`)).toEqual([
    'ModelConfig demo/default-model-config',
    'Namespace /demo',
    'RemoteMCPServer demo/gone',
    'RemoteMCPServer demo/mail',
    'RemoteMCPServer tools/mail',
    'TokenService demo/default',
  ]);
});

test('the versions of what the pods take are as the look-up says', () => {
  const agent = agentWith([
    mcp('mail', {}, { headersFrom: [{ name: 'X', valueFrom: { type: 'Secret', name: 's', key: 'k' } }] }),
  ]);
  const objects = [...BASE, server('mail'), data('Secret', 's', { k: 'x' })];
  let version = '7';
  const lookUp = { ...lookUpOf([agent, ...objects]), data: () => ({ keys: ['k'], version }) };
  expect(compiling(agent, objects, lookUp).compiled?.dataVersions).toEqual(['Secret/s/7']);
  version = '8';
  expect(compiling(agent, objects, lookUp).compiled?.dataVersions).toEqual(['Secret/s/8']);
});

test('what the schema of the objects takes and that of the config does not is a problem, not a config', () => {
  const url = 'https://mail.example.com/\ufeff';
  const problems = problemsOf(agentWith([mcp('mail')]), [...BASE, server('mail', { url })]);
  expect(brief(problems)).toEqual(['Invalid Agent demo/assistant spec']);
  expect(problems[0]?.message).toMatch(/^its config\.json: http_tools\[0\]\.params\.url: /);
});
