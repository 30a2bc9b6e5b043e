import type { Kind } from '../../../src/kubernetes/api/kinds.ts';
import { FULL } from './full.ts';

/** A spec, and what the Zod schema and the API server both say of it. */
export interface Fixture {
  readonly name: string;
  readonly kind: Kind;
  readonly spec: object;
  /** Where the object is refused, and what rule says so. Not given: it is taken. */
  readonly refused?: Refusal | undefined;
}

/** How an object is refused by a rule. */
export interface Refusal {
  readonly field: string;
  readonly message: string;
}

type Case = readonly [name: string, spec: object, refused?: Refusal];

const ONE_TARGET = 'give one of stsAudience and tokenExchange, not both';
const ONE_VALUE = 'exactly one of value and valueFrom must be given';
const SELECTOR = 'from: Selector and selector must be given together';
const OPERATOR = 'values is needed for the operators In and NotIn, and for no other';
const CA = 'caCertSecretRef and caCertSecretKey must be given together';

const at = (field: string, message: string): Refusal => ({ field, message });
const of = (kind: Kind, cases: readonly Case[]): readonly Fixture[] =>
  cases.map(([name, spec, refused]) => ({ name, kind, spec, refused }));

const secret = { type: 'Secret', name: 'one', key: 'a' };
const both = { stsAudience: 'one', tokenExchange: { audiences: ['one'] } };

const agent = (declarative: object, more: object = {}): object => ({ declarative, ...more });
const tool = (mcpServer: object, more: object = {}): object =>
  agent({ tools: [{ type: 'McpServer', mcpServer: { name: 'one', ...mcpServer }, ...more }] });
const own = (deployment: object): object => ({
  type: 'BYO',
  byo: { deployment: { image: 'one', ...deployment } },
});

/** The same rules hold for whatever has `allowedNamespaces`. */
function namespaceCases(spec: object): readonly Case[] {
  const allowed = (allowedNamespaces: object): object => ({ ...spec, allowedNamespaces });
  const by = (requirement: object): object =>
    allowed({ from: 'Selector', selector: { matchExpressions: [{ key: 'team', ...requirement }] } });
  const requirement = 'spec.allowedNamespaces.selector.matchExpressions[0]';
  return [
    ['for its own namespace, by default', allowed({})],
    ['for all namespaces', allowed({ from: 'All' })],
    ['for namespaces by any label', allowed({ from: 'Selector', selector: {} })],
    ['for namespaces by no selector', allowed({ from: 'Selector' }), at('spec.allowedNamespaces', SELECTOR)],
    [
      'for all, with a selector',
      allowed({ from: 'All', selector: {} }),
      at('spec.allowedNamespaces', SELECTOR),
    ],
    ['with a selector only', allowed({ selector: {} }), at('spec.allowedNamespaces', SELECTOR)],
    ['for namespaces without a label', by({ operator: 'DoesNotExist' })],
    ['for namespaces by a value', by({ operator: 'NotIn', values: ['a'] })],
    ['for namespaces by no value', by({ operator: 'In' }), at(requirement, OPERATOR)],
    ['with a value too many', by({ operator: 'Exists', values: ['a'] }), at(requirement, OPERATOR)],
  ];
}

/** The same rule holds for whatever has `tls`. */
function tlsCases(spec: object): readonly Case[] {
  return [
    ['with empty tls', { ...spec, tls: {} }],
    ['with a CA', { ...spec, tls: { caCertSecretRef: 'ca', caCertSecretKey: 'ca.crt' } }],
    ['with a CA and no key', { ...spec, tls: { caCertSecretRef: 'ca' } }, at('spec.tls', CA)],
    ['with the key of no CA', { ...spec, tls: { caCertSecretKey: 'ca.crt' } }, at('spec.tls', CA)],
  ];
}

/** The same rules hold for the header fields of a server and of a tool. */
function headerCases(spec: (headersFrom: readonly object[]) => object, field: string): readonly Case[] {
  return [
    ['with a header', spec([{ name: 'A', value: 'a' }])],
    ['with the header of a Secret', spec([{ name: 'A', valueFrom: secret }])],
    ['with a header of no value', spec([{ name: 'A' }]), at(field, ONE_VALUE)],
    [
      'with a header of two values',
      spec([{ name: 'A', value: 'a', valueFrom: secret }]),
      at(field, ONE_VALUE),
    ],
  ];
}

/** The same rules hold for both ways to run an agent. */
function environmentCases(spec: (deployment: object) => object, field: string): readonly Case[] {
  const key = { name: 'one', key: 'a' };
  const env = (variable: object): object => spec({ env: [{ name: 'A', ...variable }] });
  return [
    ['with an empty variable', env({})],
    ['with a variable', env({ value: '' })],
    ['with the variable of a Secret', env({ valueFrom: { secretKeyRef: key } })],
    [
      'with a variable of two values',
      env({ value: 'a', valueFrom: { secretKeyRef: key } }),
      at(field, 'give one of value and valueFrom, not both'),
    ],
    [
      'with a variable of two sources',
      env({ valueFrom: { secretKeyRef: key, configMapKeyRef: key } }),
      at(`${field}.valueFrom`, 'give one of secretKeyRef and configMapKeyRef, not both'),
    ],
  ];
}

/** The same for an agent of its own image. */
function ownCase([name, ...rest]: Case): Case {
  return [`of its own image, ${name}`, ...rest];
}

const TYPE = at('spec', 'type Declarative needs declarative, type BYO needs byo, and not the other');
const TOOL = at(
  'spec.declarative.tools[0]',
  'type McpServer needs mcpServer, type Agent needs agent, and not the other',
);
const HANDED_ON = at(
  'spec.declarative.tools[0].mcpServer',
  'allowedHeaders must not name Authorization, Proxy-Authorization or Cookie',
);
const APPROVAL = at('spec.declarative.tools[0].mcpServer', 'requireApproval must name tools of toolNames');
const INSTRUCTION = at('spec.declarative', 'give one of systemMessage and systemMessageFrom, not both');

const tools = (...list: readonly object[]): object => agent({ tools: list });

const AGENT: readonly Case[] = [
  ['smallest', agent({})],
  ['with an audience', agent({}, { stsAudience: 'one' })],
  ['with both forms of a target', agent({}, both), at('spec', ONE_TARGET)],
  ['of no type', {}, TYPE],
  ['of another type than it says', { type: 'BYO', declarative: {} }, TYPE],
  ['of both types', { type: 'BYO', declarative: {}, byo: { deployment: { image: 'one' } } }, TYPE],
  ['of its own image, without type', { byo: { deployment: { image: 'one' } } }, TYPE],
  ['of its own image', own({})],
  ['with an instruction', agent({ systemMessage: 'Help.' })],
  ['with two instructions', agent({ systemMessage: '', systemMessageFrom: secret }), INSTRUCTION],
  ['with a tool of no kind', tools({ type: 'McpServer' }), TOOL],
  ['with a tool of another kind than it says', tools({ type: 'Agent', mcpServer: { name: 'one' } }), TOOL],
  [
    'with a tool of both kinds',
    tools({ type: 'Agent', mcpServer: { name: 'one' }, agent: { name: 'one' } }),
    TOOL,
  ],
  ['with an agent as tool', tools({ type: 'Agent', agent: { name: 'one' } })],
  ['with a target of a tool', tool({ tokenExchange: { scopes: ['read'] } })],
  ['with both targets of a tool', tool(both), at('spec.declarative.tools[0].mcpServer', ONE_TARGET)],
  [
    'with both targets of an agent',
    tools({ type: 'Agent', agent: { name: 'one', ...both } }),
    at('spec.declarative.tools[0].agent', ONE_TARGET),
  ],
  ['with a tool to approve', tool({ toolNames: ['a', 'b'], requireApproval: ['b', 'a'] })],
  ['with header fields that are handed on', tool({ allowedHeaders: ['traceparent', 'x-cookie'] })],
  ['that hands the token of its caller on', tool({ allowedHeaders: ['AUTHORIZATION'] }), HANDED_ON],
  ['that hands cookies on', tool({ allowedHeaders: ['traceparent', 'Cookie'] }), HANDED_ON],
  ['with nothing to approve', tool({ requireApproval: [] })],
  ['with nothing to approve of its tools', tool({ toolNames: [], requireApproval: [] })],
  ['with an approval of all tools', tool({ requireApproval: ['a'] }), APPROVAL],
  ['with an approval of no tool', tool({ toolNames: ['a'], requireApproval: ['a', 'b'] }), APPROVAL],
  ...headerCases((headersFrom) => tool({}, { headersFrom }), 'spec.declarative.tools[0].headersFrom[0]'),
  ...environmentCases((deployment) => agent({ deployment }), 'spec.declarative.deployment.env[0]'),
  ...environmentCases(own, 'spec.byo.deployment.env[0]').map((one) => ownCase(one)),
  ...namespaceCases(agent({})),
];

const model = (more: object): object => ({ provider: 'OpenAI', model: 'one', ...more });
const KEY = at('spec', 'apiKeySecret and apiKeySecretKey must be given together');
const TURNS = at('spec', 'turns is needed for the provider Scripted, and for no other');
const VERTEX = at('spec', 'GeminiVertexAI needs project and location');
const vertex = { provider: 'GeminiVertexAI' };

const MODEL: readonly Case[] = [
  ['smallest', model({})],
  ['with a key', model({ apiKeySecret: 'one', apiKeySecretKey: 'key' })],
  ['with a Secret only', model({ apiKeySecret: 'one' }), KEY],
  ['with a key only', model({ apiKeySecretKey: 'key' }), KEY],
  ['of no turns', model({ provider: 'Scripted', turns: [] })],
  ['scripted without script', model({ provider: 'Scripted' }), TURNS],
  ['with a script for nobody', model({ turns: [] }), TURNS],
  ['of a project at a location', model({ ...vertex, project: 'one', location: 'two' })],
  ['of a project nowhere', model({ ...vertex, project: 'one' }), VERTEX],
  ['of no project', model({ ...vertex, location: 'two' }), VERTEX],
  ['of Azure', model({ provider: 'AzureOpenAI', baseURL: 'https://one.example.com' })],
  ['of Azure, nowhere', model({ provider: 'AzureOpenAI' }), at('spec', 'AzureOpenAI needs baseURL')],
  ...tlsCases(model({})),
];

const server = (more: object): object => ({ description: '', url: 'https://one.example.com', ...more });
const HTTPS = at('spec', 'tls is for https URLs');

const SERVER: readonly Case[] = [
  ['smallest', server({})],
  ['over http', server({ url: 'http://one.example.com' })],
  ['with both forms of a target', server(both), at('spec', ONE_TARGET)],
  ['over http, with tls', server({ url: 'http://one.example.com', tls: {} }), HTTPS],
  ...tlsCases(server({})),
  ...headerCases((headersFrom) => server({ headersFrom }), 'spec.headersFrom[0]'),
  ...namespaceCases(server({})),
];

const issuer = 'https://sts.example.com';
const service = (more: object): object => ({ issuer, clientID: 'one', ...more });
const client = (clientAuthentication: object): object => service({ clientAuthentication });
const nameless = (more: object): object => ({ tokenEndpoint: `${issuer}/token`, clientID: 'one', ...more });
const keyRef = { name: 'one', key: 'a' };
const inClient = (message: string): Refusal => at('spec.clientAuthentication', message);

const SOMEWHERE = at('spec', 'one of issuer, metadataURL and tokenEndpoint must be given');
const NAMED = at('spec', 'actor.audience must be given where there is no issuer');
const NAMED_CLIENT = at('spec', 'clientAuthentication.audience must be given where there is no issuer');
const SECURE = at(
  'spec',
  'the STS gets the tokens of users: use https, or dangerouslyAllowInsecureHTTP in a network that you trust',
);
const SECRET_REF = inClient(
  'clientSecretRef is needed for client_secret_basic, client_secret_post, client_secret_jwt, and for no other method',
);
const KEY_REF = inClient('privateKeyRef is needed for private_key_jwt, and for no other method');
const CERTIFICATE = inClient(
  'certificateSecret is needed for tls_client_auth, self_signed_tls_client_auth, and for no other method',
);

/** A method of client authentication with what it needs, without it, and what is for no other. */
function clientCases(method: string, needed: object, refusal: Refusal): readonly Case[] {
  return [
    [`by ${method}`, client({ method, ...needed })],
    [`by ${method} without what it needs`, client({ method }), refusal],
  ];
}

const SERVICE: readonly Case[] = [
  ['smallest', service({})],
  ['somewhere by nothing', { clientID: 'one', actor: { source: 'None' } }, SOMEWHERE],
  ['by its metadata', { clientID: 'one', actor: { source: 'None' }, metadataURL: `${issuer}/metadata` }],
  ['without name, for no actor', nameless({ actor: { source: 'None' } })],
  ['without name, for an actor of an audience', nameless({ actor: { audience: 'sts' } })],
  ['without name', nameless({}), NAMED],
  ['without name, for an actor', nameless({ actor: { source: 'ServiceAccount' } }), NAMED],
  [
    'without name, for a client',
    nameless({ actor: { source: 'None' }, clientAuthentication: { method: 'service_account' } }),
    NAMED_CLIENT,
  ],
  [
    'without name, for a client of an audience',
    nameless({
      actor: { source: 'None' },
      clientAuthentication: { method: 'service_account', audience: 'sts' },
    }),
  ],
  ['over http', service({ issuer: 'http://sts.example.com' }), SECURE],
  ['with metadata over http', service({ metadataURL: 'http://sts.example.com/metadata' }), SECURE],
  ['with an endpoint over http', service({ tokenEndpoint: 'http://sts.example.com/token' }), SECURE],
  ['over http to what looks local', service({ issuer: 'http://localhost.example.com' }), SECURE],
  ['over http to what looks like loopback', service({ issuer: 'http://127.0.0.1.example.com' }), SECURE],
  ['over http to a user called localhost', service({ issuer: 'http://localhost:1@example.com' }), SECURE],
  ['over http on purpose', service({ issuer: 'http://sts.example.com', dangerouslyAllowInsecureHTTP: true })],
  ['over http to localhost', service({ issuer: 'http://localhost' })],
  ['over http to loopback', service({ issuer: 'http://127.0.0.1:9400/realm' })],
  ['over http to loopback by IPv6', service({ issuer: 'http://[::1]:9400' })],
  ...clientCases('client_secret_basic', { clientSecretRef: keyRef }, SECRET_REF),
  ...clientCases('client_secret_post', { clientSecretRef: keyRef }, SECRET_REF),
  ...clientCases('client_secret_jwt', { clientSecretRef: keyRef }, SECRET_REF),
  ...clientCases('private_key_jwt', { privateKeyRef: keyRef, keyID: 'a', algorithm: 'RS256' }, KEY_REF),
  ...clientCases('tls_client_auth', { certificateSecret: 'one' }, CERTIFICATE),
  ...clientCases('self_signed_tls_client_auth', { certificateSecret: 'one' }, CERTIFICATE),
  ['by nothing, with a secret', client({ clientSecretRef: keyRef }), SECRET_REF],
  ['by nothing, with a private key', client({ privateKeyRef: keyRef }), KEY_REF],
  ['by nothing, with a certificate', client({ certificateSecret: 'one' }), CERTIFICATE],
  [
    'by nothing, with an algorithm',
    client({ algorithm: 'RS256' }),
    inClient('algorithm is for the method private_key_jwt only'),
  ],
  [
    'by nothing, with a key ID',
    client({ keyID: 'a' }),
    inClient('keyID is for the method private_key_jwt only'),
  ],
  [
    'by nothing, with an audience',
    client({ audience: 'a' }),
    inClient('audience is for the method service_account only'),
  ],
  ['by a service account', client({ method: 'service_account' })],
  [
    'for nobody, of an audience',
    service({ actor: { source: 'None', audience: 'a' } }),
    at('spec.actor', 'audience is for the source ServiceAccount only'),
  ],
  ...tlsCases(service({})),
  ...namespaceCases(service({})),
];

/** Each rule of each kind: what keeps it, and what breaks it. */
export const FIXTURES: readonly Fixture[] = [
  ...FULL.map(({ name, kind, spec }) => ({ name: `full: ${name}`, kind, spec })),
  ...of('Agent', AGENT),
  ...of('ModelConfig', MODEL),
  ...of('RemoteMCPServer', SERVER),
  ...of('TokenService', SERVICE),
];
