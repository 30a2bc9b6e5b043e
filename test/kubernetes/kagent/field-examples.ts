/** A field with a value, as a manifest would have it. */
export interface Example {
  readonly value: unknown;
  /** What the field here holds. Default: the same. */
  readonly here?: unknown;
}

const same = (value: unknown): Example => ({ value });
const becomes = (value: unknown, here: unknown): Example => ({ value, here });
const exchange = same({ audiences: ['a'], scopes: ['b'] });
const headers = same([{ name: 'X-Key', valueFrom: { type: 'Secret', name: 'keys', key: 'k' } }]);
const all = same({ from: 'All' });

const TOOL = 'spec.declarative.tools[]';
const SKILL = 'spec.declarative.a2aConfig.skills[]';
const BYO = 'spec.byo.deployment';

const agent: Readonly<Record<string, Example>> = {
  'spec.type': same('Declarative'),
  'spec.description': same('Helps.'),
  'spec.allowedNamespaces': all,
  'spec.stsAudience': same('a'),
  'spec.tokenExchange': exchange,
  'spec.skills': same({ refs: ['registry.example.com/skill:1'] }),
  'spec.sandbox': same({ network: { allowedDomains: ['example.com'] } }),
  'spec.declarative.runtime': same('go'),
  'spec.declarative.systemMessage': same('Be kind.'),
  'spec.declarative.systemMessageFrom': same({ type: 'ConfigMap', name: 'prompts', key: 'a' }),
  'spec.declarative.promptTemplate': same({ dataSources: [{ kind: 'ConfigMap', name: 'prompts' }] }),
  'spec.declarative.modelConfig': same('model'),
  'spec.declarative.stream': same(true),
  'spec.declarative.executeCodeBlocks': same(true),
  'spec.declarative.memory': same({ modelConfig: 'embedding', ttlDays: 7 }),
  'spec.declarative.context': same({ compaction: { compactionInterval: 5 } }),
  [`${SKILL}.id`]: same('find'),
  [`${SKILL}.name`]: same('Find'),
  [`${SKILL}.description`]: same('Finds.'),
  [`${SKILL}.tags`]: same(['search']),
  [`${SKILL}.examples`]: same(['Find it.']),
  [`${SKILL}.inputModes`]: same(['text/plain']),
  [`${SKILL}.outputModes`]: same(['text/plain']),
  [`${TOOL}.type`]: same('McpServer'),
  [`${TOOL}.mcpServer.kind`]: same('RemoteMCPServer'),
  [`${TOOL}.mcpServer.apiGroup`]: same('kagent.dev'),
  [`${TOOL}.mcpServer.name`]: same('search'),
  [`${TOOL}.mcpServer.namespace`]: same('tools'),
  [`${TOOL}.mcpServer.toolNames`]: same(['find', 'drop']),
  [`${TOOL}.mcpServer.requireApproval`]: same(['drop']),
  [`${TOOL}.mcpServer.allowedHeaders`]: same(['X-Tenant']),
  [`${TOOL}.mcpServer.stsAudience`]: same('a'),
  [`${TOOL}.mcpServer.tokenExchange`]: exchange,
  [`${TOOL}.agent.kind`]: same('Agent'),
  [`${TOOL}.agent.apiGroup`]: same('kagent.dev'),
  [`${TOOL}.agent.name`]: same('helper'),
  [`${TOOL}.agent.namespace`]: same('tools'),
  [`${TOOL}.agent.stsAudience`]: same('a'),
  [`${TOOL}.agent.tokenExchange`]: exchange,
  [`${TOOL}.headersFrom`]: headers,
  [`${TOOL}.isolateSessions`]: same(true),
  [`${TOOL}.timeout`]: same('30s'),
  'spec.declarative.deployment.imageRegistry': same('registry.example.com'),
  [`${BYO}.image`]: same('registry.example.com/own:2'),
  [`${BYO}.cmd`]: same('node'),
  [`${BYO}.args`]: same(['main.js']),
  [`${BYO}.replicas`]: same(0),
  [`${BYO}.imagePullSecrets`]: same([{ name: 'pull' }]),
  [`${BYO}.imagePullPolicy`]: same('Always'),
  [`${BYO}.labels`]: same({ 'sidecar.istio.io/inject': 'true' }),
  [`${BYO}.annotations`]: same({ a: 'b' }),
  [`${BYO}.env`]: same([{ name: 'A', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } }]),
  [`${BYO}.resources.limits`]: becomes({ cpu: 2, memory: '1Gi' }, { cpu: '2', memory: '1Gi' }),
  [`${BYO}.resources.requests`]: same({ cpu: '100m' }),
  [`${BYO}.resources.claims`]: same([{ name: 'gpu' }]),
  [`${BYO}.nodeSelector`]: same({ disk: 'ssd' }),
  [`${BYO}.tolerations`]: same([{ operator: 'Exists' }]),
  [`${BYO}.affinity`]: same({ nodeAffinity: { preferred: [{ weight: 1 }] } }),
  [`${BYO}.volumes`]: same([{ name: 'tmp', emptyDir: {} }]),
  [`${BYO}.volumeMounts`]: same([{ name: 'tmp', mountPath: '/tmp' }]),
  [`${BYO}.securityContext`]: same({ appArmorProfile: { type: 'Localhost' } }),
  [`${BYO}.podSecurityContext`]: same({ seLinuxOptions: { level: 's0' } }),
  [`${BYO}.serviceAccountName`]: same('own'),
  [`${BYO}.serviceAccountConfig`]: same({ annotations: { a: 'b' } }),
  [`${BYO}.extraContainers`]: same([{ name: 'guard', image: 'guard' }]),
  [`${BYO}.deploymentStrategy`]: same({ type: 'Recreate' }),
};

const remoteServer: Readonly<Record<string, Example>> = {
  'spec.description': same('Another server.'),
  'spec.protocol': same('SSE'),
  'spec.url': same('https://other.example.com/mcp'),
  'spec.headersFrom': headers,
  'spec.timeout': becomes('1.5s', '1500ms'),
  'spec.sseReadTimeout': same('5m0s'),
  'spec.terminateOnClose': same(false),
  'spec.allowedNamespaces': all,
  'spec.tls': same({ caCertSecretRef: 'ca', caCertSecretKey: 'ca.crt' }),
  'spec.stsAudience': same('a'),
  'spec.tokenExchange': exchange,
};

const mcpServer: Readonly<Record<string, Example>> = {
  'spec.deployment': becomes({ image: 'mcp/files', port: 3001 }, 'http://search.kagent.svc:3001/mcp'),
  'spec.timeout': same('1m0s'),
  'spec.transportType': same('http'),
  'spec.stdioTransport': same({ a: 'b' }),
  'spec.httpTransport.targetPort': same(8080),
  'spec.httpTransport.path': same('/sse'),
  'spec.httpTransport.tls': same({ secretRef: 'tls' }),
  'spec.runtime': same('substrate'),
  'spec.substrate': same({ workerPoolRef: { name: 'pool' } }),
  'spec.authn': same({ jwt: { issuer: 'https://sts.example.com' } }),
  'spec.authz': same({ cel: { rules: ['true'] } }),
  'spec.routeFilter': same({ cors: {} }),
  'spec.stsAudience': same('a'),
  'spec.tokenExchange': exchange,
};

const annotation = (name: string): string => `metadata.annotations["kagent.dev/mcp-service-${name}"]`;

const service: Readonly<Record<string, Example>> = {
  [annotation('port')]: becomes('81', 'http://search.kagent.svc:81/mcp'),
  [annotation('path')]: becomes('/v2', 'http://search.kagent.svc:80/v2'),
  [annotation('protocol')]: same('SSE'),
  'spec.ports': becomes([{ port: 82 }], 'http://search.kagent.svc:82/mcp'),
  'spec.type': same('ExternalName'),
};

/** By member of the spec for one provider, its fields. */
const providers: Readonly<Record<string, Readonly<Record<string, Example>>>> = {
  openAI: {
    baseUrl: same('https://llm.example.com/v1'),
    temperature: same('0.2'),
    maxTokens: same(512),
    organization: same('org'),
    topP: same('0.9'),
    frequencyPenalty: same('0.1'),
    presencePenalty: same('0.1'),
    seed: same(0),
    n: same(2),
    timeout: same(60),
    reasoningEffort: same('low'),
    tokenExchange: same({ type: 'GDCHServiceAccount', gdchServiceAccount: { audience: 'a' } }),
  },
  anthropic: {
    baseUrl: same('https://llm.example.com'),
    temperature: same('0.2'),
    maxTokens: same(512),
    topP: same('0.9'),
    topK: same(40),
  },
  azureOpenAI: {
    azureEndpoint: same('https://other.openai.azure.com'),
    apiVersion: same('2025-04-01'),
    azureDeployment: same('team-4o'),
    azureAdToken: same('obviously-fake'),
    temperature: same('0.2'),
    maxTokens: same(512),
    topP: same('0.9'),
  },
  ollama: { host: becomes('ollama:11434', 'http://ollama:11434'), options: same({ num_ctx: '4096' }) },
  geminiVertexAI: {
    projectID: same('team-b'),
    location: same('europe-west4'),
    temperature: same('0.2'),
    maxOutputTokens: same(512),
    topP: same('0.9'),
    topK: same('40'),
    stopSequences: same(['end']),
    candidateCount: same(2),
    responseMimeType: same('application/json'),
  },
  bedrock: {
    region: same('eu-west-1'),
    additionalModelRequestFields: same({ top_k: 5 }),
    promptCaching: same(true),
    cacheTTL: same('1h'),
  },
};

const model: Readonly<Record<string, Example>> = {
  'spec.provider': same('Anthropic'),
  'spec.model': same('other'),
  'spec.apiKeySecret': same('key'),
  'spec.apiKeySecretKey': same('KEY'),
  'spec.apiKeySecretRef': same('key'),
  'spec.apiKeyPassthrough': same(true),
  'spec.defaultHeaders': same({ 'X-Team': 'a' }),
  'spec.tls': same({ disableVerify: true }),
  ...Object.fromEntries(
    Object.entries(providers).flatMap(([name, fields]) =>
      Object.entries(fields).map(([field, example]) => [`spec.${name}.${field}`, example] as const),
    ),
  ),
};

/** By kind and field of kagent's API of v0.10, a value that it may have. */
export const EXAMPLES: Readonly<Record<string, Readonly<Record<string, Example>>>> = {
  Agent: agent,
  RemoteMCPServer: remoteServer,
  MCPServer: mcpServer,
  Service: service,
  ModelConfig: model,
};
