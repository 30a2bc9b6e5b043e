import type { Kind } from '../../../src/kubernetes/api/kinds.ts';

/** A valid spec. Those of a kind together have each field there is at least once. */
export interface FullSpec {
  readonly kind: Kind;
  readonly name: string;
  readonly spec: object;
}

const tokenExchange = {
  audiences: ['https://calendar.example.com', 'calendar'],
  resources: ['https://calendar.example.com/mcp'],
  scopes: ['read', 'write'],
  requestedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
  profile: 'rfc8693',
  tokenServiceRef: { name: 'keycloak', namespace: 'identity' },
};

const headersFrom = [
  { name: 'X-Tenant', value: 'acme' },
  { name: 'X-Api-Key', valueFrom: { type: 'Secret', name: 'calendar', key: 'api-key' } },
];

const allowedNamespaces = {
  from: 'Selector',
  selector: {
    matchLabels: { team: 'assistants' },
    matchExpressions: [{ key: 'stage', operator: 'In', values: ['test', 'production'] }],
  },
};

const tls = {
  disableVerify: false,
  caCertSecretRef: 'ca',
  caCertSecretKey: 'ca.crt',
  disableSystemCAs: true,
};

const deployment = {
  replicas: 2,
  image: 'registry.example.com/agent:1',
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [{ name: 'registry' }],
  labels: { team: 'assistants' },
  annotations: { 'example.com/owner': 'The assistants team' },
  env: [
    { name: 'LOG_LEVEL', value: 'debug' },
    { name: 'PROXY', valueFrom: { configMapKeyRef: { name: 'proxy', key: 'url' } } },
    { name: 'LICENSE', valueFrom: { secretKeyRef: { name: 'license', key: 'key' } } },
  ],
  resources: { limits: { memory: '512Mi' }, requests: { cpu: '100m' } },
  nodeSelector: { 'kubernetes.io/os': 'linux' },
  serviceAccountName: 'assistant',
};

const declarative = {
  modelConfig: 'gemini',
  systemMessage: 'Help the user.',
  tools: [
    {
      type: 'McpServer',
      mcpServer: {
        kind: 'RemoteMCPServer',
        apiGroup: 'onbehalf.dev',
        name: 'calendar',
        namespace: 'tools',
        toolNames: ['list', 'add'],
        requireApproval: ['add'],
        allowedHeaders: ['traceparent'],
        tokenExchange,
      },
      headersFrom,
    },
    { type: 'Agent', agent: { name: 'travel', namespace: 'agents', tokenExchange } },
  ],
  stream: true,
  a2aConfig: {
    skills: [
      {
        id: 'plan',
        name: 'Plan a day',
        description: 'Finds free hours.',
        tags: ['calendar'],
        examples: ['When am I free?'],
      },
    ],
  },
  deployment,
};

const agent = {
  type: 'Declarative',
  description: 'Plans days.',
  declarative,
  tokenServiceRef: { name: 'keycloak', namespace: 'identity' },
  authentication: {
    mode: 'JWT',
    audience: 'assistant',
    issuers: [{ issuer: 'https://sts.example.com', jwksURL: 'https://sts.example.com/keys' }],
  },
  allowedNamespaces,
  dangerouslyAllowInsecureHTTP: false,
  tokenExchange,
};

const short = {
  type: 'Declarative',
  stsAudience: 'assistant',
  declarative: {
    systemMessageFrom: { type: 'ConfigMap', name: 'instruction', key: 'text' },
    tools: [
      { type: 'McpServer', mcpServer: { name: 'calendar', stsAudience: 'calendar' } },
      { type: 'Agent', agent: { name: 'travel', stsAudience: 'travel' } },
    ],
  },
};

const server = {
  description: 'The calendar.',
  protocol: 'STREAMABLE_HTTP',
  url: 'https://calendar.example.com/mcp',
  headersFrom,
  timeout: '30s',
  sseReadTimeout: '5m',
  terminateOnClose: true,
  allowedNamespaces,
  tls,
  discovery: 'auto',
  publishTools: true,
  dangerouslyAllowInsecureHTTP: false,
  tokenExchange,
};

const service = {
  issuer: 'https://sts.example.com',
  metadataURL: 'https://sts.example.com/metadata',
  tokenEndpoint: 'https://sts.example.com/token',
  dialect: 'keycloak',
  profile: 'rfc8693',
  clientID: 'assistant',
  clientAuthentication: {
    method: 'private_key_jwt',
    privateKeyRef: { name: 'client', key: 'key.pem' },
    algorithm: 'ES256',
    keyID: 'key-1',
  },
  actor: {
    source: 'ServiceAccount',
    audience: 'https://sts.example.com',
    expirationSeconds: 7200,
    tokenType: 'urn:ietf:params:oauth:token-type:jwt',
  },
  retention: 'subject',
  tls,
  allowedNamespaces,
  dangerouslyAllowInsecureHTTP: false,
};

const by = (clientAuthentication: object): object => ({ ...service, clientAuthentication });

/** The full specs. */
export const FULL: readonly FullSpec[] = [
  { kind: 'Agent', name: 'declarative', spec: agent },
  { kind: 'Agent', name: 'declarative, short forms', spec: short },
  {
    kind: 'Agent',
    name: 'bring your own',
    spec: { type: 'BYO', byo: { deployment: { ...deployment, cmd: 'serve', args: ['--port', '8080'] } } },
  },
  {
    kind: 'ModelConfig',
    name: 'Vertex AI',
    spec: {
      provider: 'GeminiVertexAI',
      model: 'gemini-2.5-flash',
      apiKeySecret: 'gemini',
      apiKeySecretKey: 'key',
      baseURL: 'https://models.example.com',
      defaultHeaders: { 'X-Team': 'assistants' },
      temperature: '0.2',
      maxTokens: 1000,
      apiVersion: 'v1',
      project: 'assistants',
      location: 'europe-west3',
      tls,
    },
  },
  {
    kind: 'ModelConfig',
    name: 'scripted',
    spec: {
      provider: 'Scripted',
      model: 'demo',
      turns: [{ calls: [{ name: 'list', arguments: '{}' }] }, { text: 'You are free.' }],
    },
  },
  { kind: 'RemoteMCPServer', name: 'with parameters of the exchange', spec: server },
  {
    kind: 'RemoteMCPServer',
    name: 'with an audience',
    spec: { description: 'The calendar.', url: 'https://calendar.example.com/mcp', stsAudience: 'calendar' },
  },
  { kind: 'TokenService', name: 'by a key', spec: service },
  {
    kind: 'TokenService',
    name: 'by a client secret',
    spec: by({ method: 'client_secret_basic', clientSecretRef: { name: 'client', key: 'secret' } }),
  },
  {
    kind: 'TokenService',
    name: 'by TLS',
    spec: by({ method: 'tls_client_auth', certificateSecret: 'client-tls' }),
  },
  {
    kind: 'TokenService',
    name: 'by a service account',
    spec: by({ method: 'service_account', audience: 'https://sts.example.com' }),
  },
];
