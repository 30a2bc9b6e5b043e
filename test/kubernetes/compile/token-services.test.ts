import { expect, test } from 'vitest';
import type { TokenServiceConfig } from '../../../src/config/token-service.ts';
import {
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
  expect(token?.path).toMatch(/^\/var\/run\/secrets\/onbehalf\/tokens\/[0-9a-f]{8}$/);
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

test('a reference of a server names a TokenService of its own namespace, and one of a tool that of the Agent', () => {
  const tokenExchange = { audiences: ['mail'], tokenServiceRef: { name: 'sts' } };
  const mail = server('tools/mail', { allowedNamespaces: { from: 'All' }, tokenExchange });
  const objects = [...BASE, mail, service('tools/sts'), service('demo/sts')];
  const of = (tool: object): string | undefined =>
    compiled(agentWith([mcp('tools/mail', tool)]), objects).targets[0]?.tokenService;
  expect(of({})).toBe('tools/sts');
  expect(of({ tokenExchange: { tokenServiceRef: { name: 'sts' } } })).toBe('demo/sts');
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
