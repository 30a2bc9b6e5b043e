import { expect, test } from 'vitest';
import type { TokenServiceConfig } from '../../../src/config/token-service.ts';
import {
  agentTool,
  agentWith,
  BASE,
  brief,
  compiled,
  compiling,
  data,
  type Given,
  mcp,
  model,
  problemsOf,
  server,
  service,
} from './objects.ts';

const MAIL = server('mail', { stsAudience: 'mail' });
const AGENT = agentWith([mcp('mail')]);
const SECRET = { name: 'client', key: 'secret' };
const DATA = '/var/run/secrets/onbehalf/data/secret';

const withService = (spec: object, ...more: readonly Given[]): readonly Given[] => [
  model(),
  MAIL,
  service('default', { ...spec }),
  ...more,
];
const configOf = (spec: object): TokenServiceConfig | undefined =>
  compiled(AGENT, withService(spec)).config.token_exchange?.token_services['demo/default'];

test('S10 the config has the TokenService that its servers need, as the default one', () => {
  expect(compiled(AGENT, withService({})).config.token_exchange).toMatchObject({
    token_services: { 'demo/default': { issuer: 'https://sts.example.com/default', client_id: 'agents' } },
    default_token_service: 'demo/default',
    retention: 'run',
  });
});

test('an Agent whose tools need no token has no TokenService in its config', () => {
  const { config, tokens } = compiled(agentWith([mcp('mail')]), [...BASE, server('mail')]);
  expect(config.token_exchange).toBeUndefined();
  expect(tokens).toEqual([]);
});

test.each([
  [
    'issuer, metadata and endpoint',
    {
      metadataURL: 'https://sts.example.com/metadata',
      tokenEndpoint: 'https://sts.example.com/token',
    },
    {
      metadata_url: 'https://sts.example.com/metadata',
      token_endpoint: 'https://sts.example.com/token',
    },
  ],
  ['the dialect', { dialect: 'keycloak' }, { dialect: 'keycloak' }],
  ['the profile', { profile: 'entra-obo' }, { profile: 'entra-obo' }],
  [
    'leave for clear text',
    { dangerouslyAllowInsecureHTTP: true, issuer: 'http://sts.demo.svc' },
    { dangerously_allow_insecure_http: true, issuer: 'http://sts.demo.svc' },
  ],
  [
    'how the certificate is verified',
    { tls: { caCertSecretRef: 'ca', caCertSecretKey: 'ca.crt', disableSystemCAs: true } },
    { tls_ca_cert_path: `${DATA}/ca/ca.crt`, tls_disable_system_cas: true },
  ],
  ['no verification', { tls: { disableVerify: true } }, { tls_insecure_skip_verify: true }],
])('%s of a TokenService are in the config', (_, spec, expected) => {
  expect(configOf(spec)).toMatchObject(expected);
});

test.each(['client_secret_basic', 'client_secret_post', 'client_secret_jwt'])(
  'the client secret of %s is a file from the Secret',
  (method) => {
    const objects = withService({ clientAuthentication: { method, clientSecretRef: SECRET } });
    const { config, mounts } = compiled(AGENT, objects);
    const path = `${DATA}/client/secret`;
    expect(config.token_exchange?.token_services['demo/default']?.client_authentication).toEqual({
      method,
      client_secret: `file:${path}`,
    });
    expect(mounts).toEqual([{ kind: 'Secret', name: 'client', key: 'secret', path }]);
  },
);

test('the private key of private_key_jwt is a file from the Secret', () => {
  const clientAuthentication = {
    method: 'private_key_jwt',
    privateKeyRef: SECRET,
    algorithm: 'ES256',
    keyID: 'one',
  };
  expect(configOf({ clientAuthentication })?.client_authentication).toEqual({
    method: 'private_key_jwt',
    private_key: `file:${DATA}/client/secret`,
    algorithm: 'ES256',
    key_id: 'one',
  });
});

test.each(['tls_client_auth', 'self_signed_tls_client_auth'])(
  'the certificate and key of %s are files from the Secret of type kubernetes.io/tls',
  (method) => {
    const clientAuthentication = { method, certificateSecret: 'client' };
    expect(configOf({ clientAuthentication })?.client_authentication).toEqual({
      method,
      certificate: `file:${DATA}/client/tls.crt`,
      private_key: `file:${DATA}/client/tls.key`,
    });
  },
);

test('service_account is the projected token as client assertion, and needs no Secret', () => {
  const clientAuthentication = { method: 'service_account', audience: 'the-client' };
  const done = compiled(AGENT, withService({ clientAuthentication, actor: { source: 'None' } }));
  const [token] = done.tokens;
  expect(done.tokens).toEqual([{ audience: 'the-client', expirationSeconds: 3600, path: token?.path }]);
  expect(token?.path).toMatch(/^\/var\/run\/secrets\/onbehalf\/tokens\/[0-9a-f]{32}$/);
  expect(done.config.token_exchange?.token_services['demo/default']).toMatchObject({
    client_authentication: { method: 'client_assertion', assertion: `file:${token?.path}` },
    actor: { source: 'none' },
  });
  expect(done.mounts).toEqual([]);
});

test('the actor is the service account, by a projected token whose audience is the issuer', () => {
  const { config, tokens } = compiled(AGENT, withService({}));
  const [token] = tokens;
  expect(tokens).toHaveLength(1);
  expect(token).toMatchObject({ audience: 'https://sts.example.com/default', expirationSeconds: 3600 });
  expect(config.token_exchange?.token_services['demo/default']?.actor).toEqual({
    source: 'file',
    path: token?.path,
  });
});

test('the actor may have an audience, a lifetime and a token type of its own', () => {
  const actor = { audience: 'sts', expirationSeconds: 600, tokenType: 'urn:example:k8s' };
  const { config, tokens } = compiled(AGENT, withService({ actor }));
  expect(tokens).toMatchObject([{ audience: 'sts', expirationSeconds: 600 }]);
  expect(config.token_exchange?.token_services['demo/default']?.actor).toMatchObject({
    token_type: 'urn:example:k8s',
  });
});

test.each([
  ['ClientCredentials', 'client_credentials'],
  ['None', 'none'],
])('with the actor %s no token is projected', (source, expected) => {
  const { config, tokens } = compiled(AGENT, withService({ actor: { source } }));
  expect(config.token_exchange?.token_services['demo/default']?.actor).toEqual({ source: expected });
  expect(tokens).toEqual([]);
});

test('two audiences or two lifetimes are two files; the same of both is one', () => {
  const sts = (name: string, actor: object): Given => service(name, { actor });
  const tool = (name: string): object =>
    mcp(name, { tokenExchange: { audiences: [name], tokenServiceRef: { name } } });
  const { tokens } = compiled(agentWith([tool('a'), tool('b'), tool('c'), tool('d')]), [
    ...BASE,
    ...['a', 'b', 'c', 'd'].map((name) => server(name)),
    sts('a', { audience: 'x' }),
    sts('b', { audience: 'y' }),
    sts('c', { audience: 'x', expirationSeconds: 600 }),
    sts('d', { audience: 'x' }),
  ]);
  expect(tokens.map(({ audience, expirationSeconds }) => `${audience} ${expirationSeconds}`).sort()).toEqual([
    'x 3600',
    'x 600',
    'y 3600',
  ]);
  expect(new Set(tokens.map(({ path }) => path)).size).toBe(3);
});

test('the TokenService is that of the tool, else of the server, else of the Agent, else the one named default', () => {
  const ref = (name: string): object => ({ tokenServiceRef: { name } });
  const serviceOf = (tool: object, ofServer: object, spec: object): string | undefined => {
    const agent = agentWith([mcp('post', { tokenExchange: { ...tool } })], { ...spec });
    const post = server('post', { tokenExchange: { audiences: ['post'], ...ofServer } });
    const services = ['default', 'tool', 'server', 'agent'].map((name) => service(name));
    const [target] = compiled(agent, [model(), post, ...services]).targets;
    return `${target?.tokenService} ${target?.from?.tokenService}`;
  };
  expect(serviceOf(ref('tool'), ref('server'), ref('agent'))).toBe('demo/tool tool');
  expect(serviceOf({}, ref('server'), ref('agent'))).toBe('demo/server server');
  expect(serviceOf({}, {}, ref('agent'))).toBe('demo/agent agent');
  expect(serviceOf({}, {}, {})).toBe('demo/default default');
});

test('a reference of a tool names a TokenService of the namespace of the Agent, and wins over that of a server elsewhere', () => {
  const tokenExchange = { audiences: ['mail'], tokenServiceRef: { name: 'sts' } };
  const mail = server('tools/mail', { allowedNamespaces: { from: 'All' }, tokenExchange });
  const objects = [...BASE, mail, service('tools/sts'), service('demo/sts')];
  const tool = (tokenServiceRef: object): unknown => {
    const agent = agentWith([mcp('tools/mail', { tokenExchange: { tokenServiceRef } })]);
    const [target] = compiled(agent, objects).targets;
    return [target?.tokenService, target?.from?.tokenService];
  };
  expect(tool({ name: 'sts' })).toEqual(['demo/sts', 'tool']);
  expect(tool({ name: 'sts', namespace: 'tools' })).toEqual(['tools/sts', 'tool']);
});

test.each([
  ['a TokenService of its own', 'tools/sts', {}],
  ['the one that the Agent would use anyway', 'demo/default', {}],
  ['any, also where the Agent names one', 'tools/sts', { tokenServiceRef: { name: 'default' } }],
])('a server of another namespace does not choose where tokens of users go: not %s', (_, chosen, spec) => {
  const [namespace, name] = chosen.split('/');
  const tokenExchange = { audiences: ['mail'], tokenServiceRef: { namespace, name } };
  const mail = server('tools/mail', { allowedNamespaces: { from: 'All' }, tokenExchange });
  const problems = problemsOf(agentWith([mcp('tools/mail')], spec), [...BASE, mail, service('tools/sts')]);
  expect(brief(problems)).toEqual([
    'NotPermitted RemoteMCPServer tools/mail spec.tokenExchange.tokenServiceRef',
  ]);
  expect(problems[0]?.message).toBe(
    "RemoteMCPServer tools/mail is of another namespace, and would choose which STS gets the tokens of this Agent's users and pods: " +
      'name the TokenService in spec.declarative.tools[0].mcpServer.tokenExchange.tokenServiceRef of the Agent, where it wins',
  );
});

test('an agent that is a tool does not choose it either, unless it is of the same namespace', () => {
  const problemsWith = (namespace: string): readonly string[] => {
    const spec = {
      allowedNamespaces: { from: 'All' },
      dangerouslyAllowInsecureHTTP: true,
      tokenExchange: { audiences: ['clerk'], tokenServiceRef: { name: 'sts' } },
    };
    const clerk = agentWith([], spec, `${namespace}/clerk`);
    const agent = agentWith([agentTool(`${namespace}/clerk`)]);
    return brief(compiling(agent, [...BASE, clerk, service(`${namespace}/sts`)]).problems ?? []);
  };
  expect(problemsWith('tools')).toEqual([
    'NotPermitted Agent tools/clerk spec.tokenExchange.tokenServiceRef',
  ]);
  expect(problemsWith('demo')).toEqual([]);
});

test('a server beside the Agent may name a TokenService of another namespace', () => {
  const tokenServiceRef = { name: 'sts', namespace: 'security' };
  const mail = server('mail', { tokenExchange: { audiences: ['mail'], tokenServiceRef } });
  const [target] = compiled(AGENT, [...BASE, mail, service('security/sts')]).targets;
  expect(target).toMatchObject({ tokenService: 'security/sts', from: { tokenService: 'server' } });
});

const ISSUER = 'https://sts.example.com/security/sts';
const API_SERVER = 'https://kubernetes.default.svc';
const bySecurity = (spec: object): readonly string[] => {
  const agent = agentWith([mcp('mail')], {
    tokenServiceRef: { name: 'sts', namespace: 'security' },
    authentication: { mode: 'Anonymous' },
  });
  const { problems = [] } = compiling(agent, [...BASE, MAIL, service('security/sts', spec)]);
  for (const { message } of problems) expect(message).toContain('make a TokenService in namespace demo');
  return brief(problems);
};

test.each([
  ['the actor token', { actor: { source: 'ServiceAccount', audience: API_SERVER } }, 'actor.audience'],
  [
    'the client assertion',
    {
      actor: { source: 'None' },
      clientAuthentication: { method: 'service_account', audience: API_SERVER },
    },
    'clientAuthentication.audience',
  ],
  [
    'a token for one that has no issuer',
    { issuer: undefined, tokenEndpoint: ISSUER, actor: { source: 'ServiceAccount', audience: ISSUER } },
    'actor.audience',
  ],
  [
    'a token for what is only said to be the issuer of an endpoint',
    { issuer: API_SERVER, tokenEndpoint: 'https://elsewhere.example.com/token' },
    'tokenEndpoint',
  ],
  [
    'a token for what is only said to be the issuer of metadata',
    { issuer: API_SERVER, metadataURL: 'https://elsewhere.example.com/metadata' },
    'metadataURL',
  ],
])('%s of a pod goes to no TokenService of another namespace but for its issuer', (_, spec, field) => {
  expect(bySecurity(spec)).toEqual([`NotPermitted TokenService security/sts spec.${field}`]);
});

test.each([
  ['absent', {}],
  ['the issuer', { actor: { source: 'ServiceAccount', audience: ISSUER } }],
  ['the issuer, at an endpoint of its host', { tokenEndpoint: 'https://sts.example.com/token' }],
  [
    'that of both, the issuer',
    { clientAuthentication: { method: 'service_account', audience: ISSUER }, actor: { audience: ISSUER } },
  ],
  [
    'of no matter, as no token of the pod is sent',
    { tokenEndpoint: 'https://elsewhere.example.com/token', actor: { source: 'None' } },
  ],
])('the audience of a TokenService of another namespace may be %s', (_, spec) => {
  expect(bySecurity(spec)).toEqual([]);
});

test('the profile of a TokenService is told as such where neither tool nor server says one', () => {
  const [target] = compiled(AGENT, withService({ profile: 'id-jag' })).targets;
  expect(target).toMatchObject({ profile: 'id-jag', from: { profile: 'tokenService' } });
  const own = agentWith([mcp('mail', { tokenExchange: { profile: 'rfc8693' } })]);
  expect(compiled(own, withService({ profile: 'id-jag' })).targets[0]).toMatchObject({
    profile: 'rfc8693',
    from: { profile: 'tool' },
  });
});

test('tokens go with the run if any TokenService of the Agent says so', () => {
  const retentionOf = (one: string, two: string): string | undefined => {
    const post = server('post', { tokenExchange: { audiences: ['post'], tokenServiceRef: { name: 'two' } } });
    const objects = withService({ retention: one }, post, service('two', { retention: two }));
    return compiled(agentWith([mcp('mail'), mcp('post')]), objects).config.token_exchange?.retention;
  };
  expect(retentionOf('subject', 'subject')).toBe('subject');
  expect(retentionOf('subject', 'run')).toBe('run');
  expect(retentionOf('run', 'subject')).toBe('run');
});

test('a token without a TokenService is a problem that says what to do', () => {
  const agent = agentWith([mcp('mail')], { authentication: { mode: 'Anonymous' } });
  const [problem, ...more] = problemsOf(agent, [model(), MAIL]);
  expect(brief(problem === undefined ? [] : [problem])).toEqual([
    'NoTokenService Agent demo/assistant spec.declarative.tools[0].mcpServer',
  ]);
  expect(problem?.message).toContain('spec.tokenServiceRef');
  expect(more).toEqual([]);
});

test.each([
  [
    'of a tool',
    agentWith([mcp('mail', { tokenExchange: { audiences: ['a'], tokenServiceRef: { name: 'gone' } } })]),
    MAIL,
    'NotFound Agent demo/assistant spec.declarative.tools[0].mcpServer.tokenExchange.tokenServiceRef.name',
  ],
  [
    'of a server',
    AGENT,
    server('mail', { tokenExchange: { audiences: ['a'], tokenServiceRef: { name: 'gone' } } }),
    'NotFound RemoteMCPServer demo/mail spec.tokenExchange.tokenServiceRef.name',
  ],
  [
    'of an Agent, also where nothing needs it',
    agentWith([], { tokenServiceRef: { name: 'gone' }, authentication: { mode: 'Anonymous' } }),
    MAIL,
    'NotFound Agent demo/assistant spec.tokenServiceRef.name',
  ],
])('a reference %s to a TokenService that is not there is a problem', (_, agent, ofServer, expected) => {
  expect(brief(problemsOf(agent, [...BASE, ofServer]))).toEqual([expected]);
});

test.each([
  [
    'client secret',
    { method: 'client_secret_basic', clientSecretRef: SECRET },
    'spec.clientAuthentication.clientSecretRef.name',
  ],
  [
    'private key',
    { method: 'private_key_jwt', privateKeyRef: SECRET },
    'spec.clientAuthentication.privateKeyRef.name',
  ],
  [
    'certificate',
    { method: 'tls_client_auth', certificateSecret: 'client' },
    'spec.clientAuthentication.certificateSecret',
  ],
])('the %s of a TokenService in another namespace cannot be mounted', (_, clientAuthentication, field) => {
  const agent = agentWith([mcp('mail')], { tokenServiceRef: { name: 'sts', namespace: 'security' } });
  const objects = [...BASE, MAIL, service('security/sts', { clientAuthentication })];
  const problems = problemsOf(agent, objects);
  expect(brief(problems)).toEqual([`NotPermitted TokenService security/sts ${field}`]);
  expect(problems[0]?.message).toContain('service_account');
});

test('a CA of a TokenService in another namespace cannot be mounted', () => {
  const agent = agentWith([mcp('mail')], { tokenServiceRef: { name: 'sts', namespace: 'security' } });
  const tls = { caCertSecretRef: 'ca', caCertSecretKey: 'ca.crt' };
  expect(brief(problemsOf(agent, [...BASE, MAIL, service('security/sts', { tls })]))).toEqual([
    'NotPermitted TokenService security/sts spec.tls.caCertSecretRef',
  ]);
});

test('a TokenService in another namespace that needs no Secret can be used', () => {
  const agent = agentWith([mcp('mail')], { tokenServiceRef: { name: 'sts', namespace: 'security' } });
  const clientAuthentication = { method: 'service_account' };
  const { config } = compiled(agent, [...BASE, MAIL, service('security/sts', { clientAuthentication })]);
  expect(config.token_exchange?.default_token_service).toBe('security/sts');
});

test('the key of a client secret must be there', () => {
  const objects = withService(
    { clientAuthentication: { method: 'client_secret_basic', clientSecretRef: SECRET } },
    data('Secret', 'client', { other: 'x' }),
  );
  const problems = problemsOf(AGENT, objects);
  expect(brief(problems)).toEqual([
    'KeyNotFound TokenService demo/default spec.clientAuthentication.clientSecretRef.key',
  ]);
  expect(problems[0]?.message).toContain('has no key "secret"; it has other');
});

test('a TokenService that breaks its schema is a problem at its own field', () => {
  expect(brief(problemsOf(AGENT, withService({ clientID: 7 })))).toEqual([
    'Invalid TokenService demo/default spec.clientID',
  ]);
});

test.each(['issuer', 'metadataURL', 'tokenEndpoint'])(
  'a password in %s is refused, and not repeated',
  (member) => {
    const problems = problemsOf(AGENT, withService({ [member]: 'https://user:hunter2@sts.example.com/' }));
    expect(brief(problems)).toEqual([`Invalid TokenService demo/default spec.${member}`]);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  },
);

test('that there is no TokenService is looked up only where one is needed', () => {
  const agent = agentWith([mcp('mail')], { authentication: { mode: 'TrustedProxy' } });
  const { dependencies } = compiling(agent, [model(), server('mail')]);
  expect(dependencies.filter(({ kind }) => kind === 'TokenService')).toEqual([]);
});
