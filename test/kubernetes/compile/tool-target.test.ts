import { expect, test } from 'vitest';
import type { ToolServerConfig } from '../../../src/config/tools.ts';
import { agentTool, agentWith, BASE, brief, compiled, mcp, problemsOf, server, service } from './objects.ts';

const configOf = (tool: object, ofServer: object = {}, spec: object = {}): ToolServerConfig | undefined => {
  const agent = agentWith([mcp('mail', tool)], { ...spec });
  return compiled(agent, [...BASE, service('other'), server('mail', { ...ofServer })]).config.http_tools[0];
};
const targetOf = (...all: Parameters<typeof configOf>): unknown => {
  const { sts_audience, token_exchange } = configOf(...all) ?? {};
  return { sts_audience, token_exchange };
};

test('S10 one audience alone is sts_audience in the config', () => {
  expect(targetOf({ stsAudience: 'mail' })).toEqual({ sts_audience: 'mail' });
  expect(targetOf({}, { tokenExchange: { audiences: ['mail'] } })).toEqual({ sts_audience: 'mail' });
});

test('S10 everything else is token_exchange in the config', () => {
  const tokenExchange = {
    audiences: ['b', 'a'],
    resources: ['urn:example:mail'],
    scopes: ['mail:read'],
    requestedTokenType: 'urn:ietf:params:oauth:token-type:jwt',
    profile: 'id-jag',
  };
  expect(targetOf({ tokenExchange })).toEqual({
    token_exchange: {
      audiences: ['b', 'a'],
      resources: ['urn:example:mail'],
      scopes: ['mail:read'],
      requested_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      profile: 'id-jag',
    },
  });
});

test.each([
  ['two audiences', { audiences: ['a', 'b'] }],
  ['no audience', { scopes: ['a'] }],
  ['one audience and a scope', { audiences: ['a'], scopes: ['a'] }],
])('S10 %s are not sts_audience', (_, tokenExchange) => {
  expect(targetOf({ tokenExchange })).toEqual({ token_exchange: tokenExchange });
});

test('S10 a TokenService that is not the one of the Agent is named with the target', () => {
  const tokenServiceRef = { name: 'other' };
  expect(targetOf({ tokenExchange: { audiences: ['a'], tokenServiceRef } })).toEqual({
    token_exchange: { token_service: 'demo/other', audiences: ['a'] },
  });
  expect(targetOf({ stsAudience: 'a' }, {}, { tokenServiceRef })).toEqual({ sts_audience: 'a' });
});

test.each([
  ['a tool', { tokenExchange: { profile: 'rfc8693' } }, {}],
  ['a server', {}, { tokenExchange: { tokenServiceRef: { name: 'other' } } }],
  ['a tool with nothing in it', { tokenExchange: {} }, {}],
])(
  'tokenExchange of %s without audience, resource and scope is a problem, not a call without a token',
  (_, tool, ofServer) => {
    const agent = agentWith([mcp('mail', tool)]);
    const problems = problemsOf(agent, [...BASE, service('other'), server('mail', { ...ofServer })]);
    expect(brief(problems)).toEqual(['Invalid Agent demo/assistant spec.declarative.tools[0].mcpServer']);
    expect(problems[0]?.message).toContain('stsAudience');
  },
);

test('a token is not sent over plain http', () => {
  const problems = problemsOf(agentWith([mcp('mail')]), [
    ...BASE,
    server('mail', { url: 'http://mail.demo.svc/mcp', stsAudience: 'mail' }),
  ]);
  expect(brief(problems)).toEqual(['Invalid RemoteMCPServer demo/mail spec.url']);
  expect(problems[0]?.message).toContain('dangerouslyAllowInsecureHTTP');
});

test.each(['http://localhost:8080/mcp', 'http://127.0.0.1/mcp', 'http://[::1]:80/mcp'])(
  'a token may be sent to %s, which stays in the pod',
  (url) => {
    expect(configOf({ stsAudience: 'a' }, { url })?.params).not.toHaveProperty(
      'dangerously_allow_insecure_http',
    );
  },
);

test('a token may be sent over plain http where that was allowed, and the config says so', () => {
  const allowed = { url: 'http://mail.demo.svc/mcp', dangerouslyAllowInsecureHTTP: true };
  expect(configOf({ stsAudience: 'a' }, allowed)?.params).toMatchObject({
    url: 'http://mail.demo.svc/mcp',
    dangerously_allow_insecure_http: true,
  });
});

test('where no token is sent, plain http is nobody else’s business', () => {
  expect(configOf({}, { url: 'http://mail.demo.svc/mcp' })?.params.url).toBe('http://mail.demo.svc/mcp');
});

test('an agent is called by plain http, so a token for it needs its leave', () => {
  const clerk = (spec: object) => agentWith([], { stsAudience: 'clerk', ...spec }, 'clerk');
  const agent = agentWith([agentTool('clerk')]);
  expect(brief(problemsOf(agent, [...BASE, clerk({})]))).toEqual([
    'Invalid Agent demo/clerk spec.dangerouslyAllowInsecureHTTP',
  ]);
  const [remote] = compiled(agent, [...BASE, clerk({ dangerouslyAllowInsecureHTTP: true })]).config
    .remote_agents;
  expect(remote).toMatchObject({ sts_audience: 'clerk', dangerously_allow_insecure_http: true });
});
