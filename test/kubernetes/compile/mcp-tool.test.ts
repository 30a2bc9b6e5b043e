import { expect, test } from 'vitest';
import type { ToolServerConfig } from '../../../src/config/tools.ts';
import { agentWith, BASE, brief, compiled, type Given, mcp, problemsOf, server } from './objects.ts';

const withMail = (spec: object, status?: object): readonly Given[] => [
  ...BASE,
  server('mail', { ...spec }, status === undefined ? {} : { status }),
];
const configOf = (spec: object, tool: object = {}): ToolServerConfig | undefined =>
  compiled(agentWith([mcp('mail', tool)]), withMail(spec)).config.http_tools[0];
const found = (...names: string[]): object => ({ discoveredTools: names.map((name) => ({ name })) });

test('S10 a server has a stable name, NAMESPACE/NAME, and the defaults of its schema', () => {
  expect(configOf({ stsAudience: 'mail' })).toEqual({
    name: 'demo/mail',
    params: { url: 'https://mail.example.com/mcp', timeout: 30, terminate_on_close: true },
    sts_audience: 'mail',
  });
});

test('every field of a server that an agent uses is in the config', () => {
  const spec = {
    timeout: '1m30s',
    sseReadTimeout: '500ms',
    terminateOnClose: false,
    tls: { caCertSecretRef: 'ca', caCertSecretKey: 'ca.crt', disableSystemCAs: true, disableVerify: true },
    discovery: 'agent',
  };
  expect(configOf(spec)).toMatchObject({
    params: {
      timeout: 90,
      sse_read_timeout: 0.5,
      terminate_on_close: false,
      tls_ca_cert_path: '/var/run/secrets/onbehalf/data/secret/ca/ca.crt',
      tls_disable_system_cas: true,
      tls_insecure_skip_verify: true,
    },
    discovery: 'agent',
  });
});

test('a server of the older transport is one of sse_tools', () => {
  const { config } = compiled(agentWith([mcp('mail'), mcp('post')]), [
    ...withMail({ protocol: 'SSE' }),
    server('post'),
  ]);
  expect(config.sse_tools.map(({ name }) => name)).toEqual(['demo/mail']);
  expect(config.http_tools.map(({ name }) => name)).toEqual(['demo/post']);
});

test('tools, approvals and headers to hand on are sets: sorted, each once', () => {
  expect(
    configOf(
      {},
      {
        toolNames: ['send', 'list', 'send'],
        requireApproval: ['send', 'list'],
        allowedHeaders: ['x-b', 'x-a'],
      },
    ),
  ).toMatchObject({
    tools: ['list', 'send'],
    require_approval: ['list', 'send'],
    allowed_headers: ['x-a', 'x-b'],
  });
});

test('servers are in the order of the Agent’s tools, and so are the targets', () => {
  const objects = [...BASE, server('b'), server('a'), server('c')];
  const { config, targets } = compiled(agentWith([mcp('c'), mcp('a'), mcp('b')]), objects);
  expect(config.http_tools.map(({ name }) => name)).toEqual(['demo/c', 'demo/a', 'demo/b']);
  expect(targets.map(({ server: name }) => name)).toEqual(['demo/c', 'demo/a', 'demo/b']);
});

test('a server that is not there is a problem with what to do', () => {
  const problems = problemsOf(agentWith([mcp('mail')]));
  expect(brief(problems)).toEqual(['NotFound Agent demo/assistant spec.declarative.tools[0].mcpServer.name']);
  expect(problems[0]?.message).toBe('there is no RemoteMCPServer demo/mail: create it, or name another one');
});

test('a server that breaks its schema is a problem at its own field', () => {
  expect(brief(problemsOf(agentWith([mcp('mail')]), withMail({ url: 'mail.example.com' })))).toEqual([
    'Invalid RemoteMCPServer demo/mail spec.url',
  ]);
});

test('a tool that the server does not have is a problem that names those it has', () => {
  const agent = agentWith([mcp('mail', { toolNames: ['send', 'list'] })]);
  const problems = problemsOf(agent, withMail({}, found('list', 'sent')));
  expect(brief(problems)).toEqual([
    'UnknownTool Agent demo/assistant spec.declarative.tools[0].mcpServer.toolNames[0]',
  ]);
  expect(problems[0]?.message).toBe('RemoteMCPServer demo/mail has no tool "send"; it has list, sent');
});

test.each([
  ['nothing', undefined],
  ['an empty list', found()],
  ['something that is no list', { discoveredTools: 'list' }],
])('where %s is known of the tools of a server, any name is taken', (_, status) => {
  const agent = agentWith([mcp('mail', { toolNames: ['send'] })]);
  expect(compiled(agent, withMail({}, status)).config.http_tools[0]?.tools).toEqual(['send']);
});

test('a message about many tools is short', () => {
  const agent = agentWith([mcp('mail', { toolNames: ['send'] })]);
  const names = Array.from({ length: 500 }, (_, index) => `tool-${index}`);
  expect(problemsOf(agent, withMail({}, found(...names)))[0]?.message).toMatch(/tool-19, and 480 more$/);
});

test('an approval that is not among the tools is a problem at that approval', () => {
  const agent = agentWith([
    mcp('mail'),
    mcp('post', { toolNames: ['list'], requireApproval: ['list', 'send'] }),
    mcp('chat', { requireApproval: ['say'] }),
  ]);
  const problems = problemsOf(agent);
  expect(brief(problems)).toEqual([
    'UnknownApproval Agent demo/assistant spec.declarative.tools[1].mcpServer.requireApproval[1]',
    'UnknownApproval Agent demo/assistant spec.declarative.tools[2].mcpServer.requireApproval[0]',
  ]);
  expect(problems[0]?.message).toContain('"send"');
});

test('an empty list of tools is a problem: it could mean none or all', () => {
  expect(brief(problemsOf(agentWith([mcp('mail', { toolNames: [] })]), withMail({})))).toEqual([
    'Invalid Agent demo/assistant spec.declarative.tools[0].mcpServer.toolNames',
  ]);
});

test('a header field that no agent hands on is a problem, before the agent refuses it at start', () => {
  const agent = agentWith([mcp('mail', { allowedHeaders: ['x-tenant', 'Host', 'mcp-session-id'] })]);
  expect(brief(problemsOf(agent, withMail({})))).toEqual([
    'Invalid Agent demo/assistant spec.declarative.tools[0].mcpServer.allowedHeaders[1]',
    'Invalid Agent demo/assistant spec.declarative.tools[0].mcpServer.allowedHeaders[2]',
  ]);
});

test('a server that is named twice is a problem, also once with and once without its namespace', () => {
  const problems = problemsOf(agentWith([mcp('mail'), mcp('demo/mail')]), withMail({}));
  expect(brief(problems)).toEqual(['Invalid Agent demo/assistant spec.declarative.tools[1].mcpServer.name']);
});

test.each(['0s', '25h'])('a wait of %s is a problem of the server', (timeout) => {
  expect(brief(problemsOf(agentWith([mcp('mail')]), withMail({ timeout })))).toEqual([
    'Invalid RemoteMCPServer demo/mail spec.timeout',
  ]);
});

test('a password in a URL is refused, and not repeated', () => {
  const url = 'https://user:hunter2@mail.example.com/mcp';
  const problems = problemsOf(agentWith([mcp('mail')]), withMail({ url }));
  expect(brief(problems)).toEqual(['Invalid RemoteMCPServer demo/mail spec.url']);
  expect(JSON.stringify(problems)).not.toContain('hunter2');
});

test('what is no URL although it looks like one is a problem', () => {
  expect(brief(problemsOf(agentWith([mcp('mail')]), withMail({ url: 'https://mail:port/mcp' })))).toEqual([
    'Invalid RemoteMCPServer demo/mail spec.url',
  ]);
});
