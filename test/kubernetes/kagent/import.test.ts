import { describe, expect, it } from 'vitest';
import { KINDS, type Kind } from '../../../src/kubernetes/api/kinds.ts';
import { importKagent } from '../../../src/kubernetes/kagent/import.ts';
import {
  agentWith,
  imported,
  type Json,
  kagent,
  ours,
  remoteServer,
  serverTool,
  service,
  told,
} from './objects.ts';

interface Case {
  readonly title: string;
  readonly given: Json;
  readonly kind: Kind;
  readonly spec: Json;
}

const SERVERS: readonly Case[] = [
  {
    title: 'a remote server with all that it may say',
    given: remoteServer('search', {
      protocol: 'SSE',
      headersFrom: [{ name: 'X-Team', valueFrom: { type: 'Secret', name: 'search', key: 'team' } }],
      timeout: '1m30s',
      sseReadTimeout: '5m0s',
      terminateOnClose: false,
      allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'a' } } },
      tls: { disableVerify: false, caCertSecretRef: 'ca', caCertSecretKey: 'ca.crt', disableSystemCAs: true },
    }),
    kind: 'RemoteMCPServer',
    spec: {
      description: 'A server.',
      url: 'https://search.example.com/mcp',
      protocol: 'SSE',
      headersFrom: [{ name: 'X-Team', valueFrom: { type: 'Secret', name: 'search', key: 'team' } }],
      timeout: '1m30s',
      sseReadTimeout: '5m0s',
      terminateOnClose: false,
      allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'a' } } },
      tls: { caCertSecretRef: 'ca', caCertSecretKey: 'ca.crt', disableSystemCAs: true },
    },
  },
  {
    title: 'a remote server as the API server fills it in: no tls to speak of, a duration with a fraction',
    given: remoteServer('plain', {
      url: 'http://plain.tools:8080/mcp',
      protocol: '',
      timeout: '1.5s',
      tls: { disableVerify: false, disableSystemCAs: false, caCertSecretRef: '' },
    }),
    kind: 'RemoteMCPServer',
    spec: { description: 'A server.', url: 'http://plain.tools:8080/mcp', timeout: '1500ms' },
  },
  {
    title: 'a server of kmcp, at the port and path that kmcp serves it at',
    given: kagent('MCPServer', 'files', {
      deployment: { image: 'mcp/files', port: 3001, cmd: 'npx', args: ['files'] },
      transportType: 'stdio',
      stdioTransport: {},
      timeout: '45s',
    }),
    kind: 'RemoteMCPServer',
    spec: {
      description: 'MCPServer kagent/files of kmcp',
      url: 'http://files.kagent.svc:3001/mcp',
      timeout: '45s',
    },
  },
  {
    title: 'a server of kmcp that says nothing of its port',
    given: kagent('MCPServer', 'files', {
      deployment: { image: 'mcp/files' },
      httpTransport: { path: '/mcp' },
    }),
    kind: 'RemoteMCPServer',
    spec: { description: 'MCPServer kagent/files of kmcp', url: 'http://files.kagent.svc:3000/mcp' },
  },
  {
    title: 'a Service with the annotations of kagent',
    given: service(
      'mail',
      { ports: [{ port: 80 }, { port: 81 }] },
      {
        'kagent.dev/mcp-service-path': '/mcp/v2',
        'kagent.dev/mcp-service-port': '8084',
        'kagent.dev/mcp-service-protocol': 'SSE',
      },
    ),
    kind: 'RemoteMCPServer',
    spec: { description: 'Service kagent/mail', url: 'http://mail.kagent.svc:8084/mcp/v2', protocol: 'SSE' },
  },
  {
    title: 'a Service whose port says that it speaks MCP',
    given: service(
      'mail',
      { ports: [{ port: 80 }, { port: 81, appProtocol: 'MCP' }] },
      { 'kagent.dev/mcp-service-path': '/mcp' },
    ),
    kind: 'RemoteMCPServer',
    spec: {
      description: 'Service kagent/mail',
      url: 'http://mail.kagent.svc:81/mcp',
      protocol: 'STREAMABLE_HTTP',
    },
  },
];

const MODELS: readonly Case[] = [
  {
    title: 'a model without a provider, which is OpenAI',
    given: kagent('ModelConfig', 'model', {
      model: 'gpt-4.1-mini',
      apiKeySecret: 'openai',
      apiKeySecretKey: 'API_KEY',
      apiKeyPassthrough: false,
      defaultHeaders: { 'X-Team': 'a' },
      openAI: { baseUrl: 'https://llm.example.com/v1', temperature: '0.2', maxTokens: 512 },
      tls: { disableVerify: true },
    }),
    kind: 'ModelConfig',
    spec: {
      provider: 'OpenAI',
      model: 'gpt-4.1-mini',
      apiKeySecret: 'openai',
      apiKeySecretKey: 'API_KEY',
      defaultHeaders: { 'X-Team': 'a' },
      baseURL: 'https://llm.example.com/v1',
      temperature: '0.2',
      maxTokens: 512,
      tls: { disableVerify: true },
    },
  },
  {
    title: 'a model of Azure, which is asked for by the name of the deployment, wherever it stands',
    given: kagent('ModelConfig', 'model', {
      provider: 'AzureOpenAI',
      azureOpenAI: {
        azureEndpoint: 'https://team.openai.azure.com',
        apiVersion: '2025-01-01',
        azureDeployment: 'team-4o',
        maxTokens: 0,
      },
      model: 'gpt-4o',
    }),
    kind: 'ModelConfig',
    spec: {
      provider: 'AzureOpenAI',
      model: 'team-4o',
      baseURL: 'https://team.openai.azure.com',
      apiVersion: '2025-01-01',
    },
  },
  {
    title: 'a model of Ollama, whose host may have no scheme',
    given: kagent('ModelConfig', 'model', {
      provider: 'Ollama',
      model: 'llama3.2',
      apiKeySecret: '',
      ollama: { host: 'ollama.models:11434', options: {} },
    }),
    kind: 'ModelConfig',
    spec: { provider: 'Ollama', model: 'llama3.2', baseURL: 'http://ollama.models:11434' },
  },
  {
    title: 'a model of Vertex AI',
    given: kagent('ModelConfig', 'model', {
      provider: 'GeminiVertexAI',
      model: 'gemini-2.5-pro',
      geminiVertexAI: { projectID: 'team-a', location: 'europe-west4', maxOutputTokens: 2048 },
    }),
    kind: 'ModelConfig',
    spec: {
      provider: 'GeminiVertexAI',
      model: 'gemini-2.5-pro',
      project: 'team-a',
      location: 'europe-west4',
      maxTokens: 2048,
    },
  },
];

const AGENTS: readonly Case[] = [
  {
    title: 'a declarative agent with servers, an agent and a skill',
    given: kagent('Agent', 'assistant', {
      type: 'Declarative',
      description: 'Helps.',
      allowedNamespaces: { from: 'All' },
      declarative: {
        runtime: 'python',
        modelConfig: 'model',
        systemMessageFrom: { type: 'ConfigMap', name: 'prompts', key: 'assistant' },
        stream: true,
        tools: [
          {
            type: 'McpServer',
            mcpServer: {
              apiGroup: 'kagent.dev',
              kind: 'RemoteMCPServer',
              name: 'search',
              namespace: 'tools',
              toolNames: ['find', 'drop'],
              requireApproval: ['drop'],
              allowedHeaders: ['X-Tenant'],
            },
            headersFrom: [{ name: 'X-Key', valueFrom: { type: 'Secret', name: 'keys', key: 'search' } }],
          },
          { type: 'Agent', agent: { apiGroup: '', kind: 'Agent', name: 'helper', namespace: '' } },
        ],
        a2aConfig: { skills: [{ id: 'find', name: 'Find', tags: ['search'], examples: ['Find it'] }] },
        executeCodeBlocks: false,
        deployment: {
          replicas: 2,
          env: [
            { name: 'LOG', value: '' },
            { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'KEY', valueFrom: { secretKeyRef: { name: 'keys', key: 'k', optional: false } } },
          ],
          resources: { requests: { cpu: 1, memory: '64Mi' } },
          securityContext: { readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
          podSecurityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          serviceAccountName: '',
        },
      },
      skills: {},
      sandbox: { network: { allowedDomains: [] } },
    }),
    kind: 'Agent',
    spec: {
      type: 'Declarative',
      description: 'Helps.',
      allowedNamespaces: { from: 'All' },
      declarative: {
        modelConfig: 'model',
        systemMessageFrom: { type: 'ConfigMap', name: 'prompts', key: 'assistant' },
        stream: true,
        tools: [
          {
            type: 'McpServer',
            mcpServer: {
              name: 'search',
              namespace: 'tools',
              toolNames: ['find', 'drop'],
              requireApproval: ['drop'],
              allowedHeaders: ['X-Tenant'],
            },
            headersFrom: [{ name: 'X-Key', valueFrom: { type: 'Secret', name: 'keys', key: 'search' } }],
          },
          { type: 'Agent', agent: { name: 'helper' } },
        ],
        a2aConfig: {
          skills: [{ id: 'find', name: 'Find', tags: ['search'], examples: ['Find it'], description: '' }],
        },
        deployment: {
          replicas: 2,
          env: [
            { name: 'LOG', value: '' },
            { name: 'KEY', valueFrom: { secretKeyRef: { name: 'keys', key: 'k' } } },
          ],
          resources: { requests: { cpu: '1', memory: '64Mi' } },
        },
      },
    },
  },
  {
    title: 'an agent of its own image',
    given: kagent('Agent', 'own', {
      type: 'BYO',
      byo: {
        deployment: {
          image: 'registry.example.com/own:1',
          cmd: 'node',
          args: ['main.js'],
          imagePullPolicy: 'IfNotPresent',
          labels: { team: 'a' },
          nodeSelector: { disk: 'ssd' },
          serviceAccountName: 'own',
        },
      },
    }),
    kind: 'Agent',
    spec: {
      type: 'BYO',
      byo: {
        deployment: {
          image: 'registry.example.com/own:1',
          cmd: 'node',
          args: ['main.js'],
          imagePullPolicy: 'IfNotPresent',
          labels: { team: 'a' },
          nodeSelector: { disk: 'ssd' },
          serviceAccountName: 'own',
        },
      },
    },
  },
];

const CASES = [...SERVERS, ...MODELS, ...AGENTS];

describe('what objects of kagent become', () => {
  it.each(CASES)('$title', ({ given, kind, spec }) => {
    const metadata = given.metadata as Json;
    expect(imported(given)).toEqual([ours(kind, metadata.name as string, spec)]);
  });

  it.each(CASES)('keeps the schema: $title', ({ given }) => {
    for (const object of imported(given)) {
      const kind = object.kind as Kind;
      expect(KINDS[kind].spec.safeParse(object.spec).error?.issues).toBeUndefined();
    }
  });

  it('leaves what it makes as it is when that is imported again', () => {
    const once = CASES.map(({ given }, index) => ({
      ...given,
      metadata: { ...(given.metadata as Json), name: `n${index}` },
    }));
    const first = importKagent(once);
    expect(first.objects).toHaveLength(CASES.length);
    expect(importKagent(first.objects)).toEqual({ objects: first.objects, problems: [], warnings: [] });
  });

  it('takes of the metadata the name and the namespace only, for the rest belongs to who keeps the original', () => {
    const metadata = {
      name: 'search',
      namespace: 'tools',
      uid: '1',
      resourceVersion: '7',
      labels: { 'app.kubernetes.io/instance': 'kagent' },
      annotations: { 'meta.helm.sh/release-name': 'kagent' },
    };
    const [made] = imported({ ...remoteServer('search'), metadata, status: { discoveredTools: [] } });
    expect(made?.metadata).toEqual({ name: 'search', namespace: 'tools' });
    expect(made).not.toHaveProperty('status');
    const [bare] = imported({ ...remoteServer('search'), metadata: { name: 'search' } });
    expect(bare?.metadata).toEqual({ name: 'search' });
  });

  it('takes a Service that an agent names, without any annotation, and no other', () => {
    const others = [service('other', { ports: [{ port: 80 }] }), { kind: 'Secret', apiVersion: 'v1' }];
    const agent = agentWith([serverTool('mail', { kind: 'Service', apiGroup: '' })]);
    const [, mail, ...rest] = imported(agent, service('mail', { ports: [{ port: 8080 }] }), ...others);
    expect(mail).toMatchObject({ kind: 'RemoteMCPServer', spec: { url: 'http://mail.kagent.svc:8080/mcp' } });
    expect(rest).toEqual(others);
  });
});

describe('what it hands on', () => {
  it('is everything that is not of kagent, as it was given and in its place', () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'search' } };
    const own = ours('TokenService', 'default', {});
    const odd = [null, 7, 'text', [], {}, { kind: 'Agent' }];
    const result = importKagent([secret, remoteServer('search'), own, ...odd]);
    expect(result.objects[0]).toBe(secret);
    expect(result.objects[1]).toMatchObject({ apiVersion: 'onbehalf.dev/v1alpha1' });
    expect(result.objects[2]).toBe(own);
    expect(result.objects.slice(3)).toEqual(odd);
    expect(result.problems).toEqual([]);
  });

  it('is also a kind of kagent that is not read, with a warning', () => {
    const sandboxed = kagent('SandboxAgent', 'careful', {});
    const { objects, problems, warnings } = importKagent([sandboxed]);
    expect({ objects, problems }).toEqual({ objects: [sandboxed], problems: [] });
    expect(warnings).toEqual([
      {
        object: {
          apiVersion: 'kagent.dev/v1alpha2',
          kind: 'SandboxAgent',
          namespace: 'kagent',
          name: 'careful',
        },
        field: 'kind',
        message: 'is not read: nothing comes of it here',
      },
    ]);
  });
});

describe('what it refuses', () => {
  it.each([
    [
      'another version',
      { ...agentWith([]), apiVersion: 'kagent.dev/v1alpha1' },
      'Agent apiVersion: Unsupported',
    ],
    ['no spec', { ...agentWith([]), spec: undefined }, 'Agent spec: Invalid'],
    ['a model without a spec', { ...kagent('ModelConfig', 'm', {}), spec: 7 }, 'ModelConfig spec: Invalid'],
    [
      'a field named as what every object has',
      remoteServer('x', JSON.parse('{"constructor":{}}')),
      'RemoteMCPServer spec.constructor: Unsupported',
    ],
    ['no name', { ...remoteServer('x'), metadata: {} }, 'RemoteMCPServer metadata.name: Invalid'],
    [
      'a name that is a host and more',
      service('mail@evil.example', { ports: [{ port: 80 }] }, { 'kagent.dev/mcp-service-port': '80' }),
      'Service metadata.name: Invalid',
    ],
    [
      'a namespace that is none',
      { ...remoteServer('x'), metadata: { name: 'x', namespace: 'a.b' } },
      'RemoteMCPServer metadata.namespace: Invalid',
    ],
    ['a field nobody knows', remoteServer('x', { trust: 'all' }), 'RemoteMCPServer spec.trust: Unsupported'],
    [
      'a slip in a field that restricts',
      agentWith([serverTool('x', { requireAproval: ['drop'] })]),
      'Agent spec.declarative.tools[0].mcpServer.requireAproval: Unsupported',
    ],
    [
      'a text where an object belongs',
      kagent('Agent', 'a', { declarative: 'x' }),
      'Agent spec.declarative: Invalid',
    ],
    [
      'an object where a list belongs',
      kagent('Agent', 'a', { declarative: { tools: {} } }),
      'Agent spec.declarative.tools: Invalid',
    ],
    [
      'an approval of no tool of the list',
      agentWith([serverTool('x', { toolNames: ['a'], requireApproval: ['b'] })]),
      'Agent spec.declarative.tools[0].mcpServer: Invalid',
    ],
    [
      'a wrong value, by the name that it has in kagent',
      kagent('ModelConfig', 'm', { model: 'm', openAI: { temperature: 'hot' } }),
      'ModelConfig spec.openAI.temperature: Invalid',
    ],
    [
      'a provider that there is not',
      kagent('ModelConfig', 'm', { model: 'm', provider: 'Foundry', foundry: { deployment: 'x' } }),
      'ModelConfig spec.provider: Unsupported',
    ],
    [
      'settings of another provider',
      kagent('ModelConfig', 'm', {
        model: 'm',
        provider: 'Gemini',
        openAI: { baseUrl: 'https://a.example' },
      }),
      'ModelConfig spec.openAI: Unsupported',
    ],
    [
      'a kind of server that there is not',
      agentWith([serverTool('x', { kind: 'ToolServer' })]),
      'Agent spec.declarative.tools[0].mcpServer.kind: Unsupported',
    ],
    [
      'another API group',
      agentWith([serverTool('x', { apiGroup: 'evil.example' })]),
      'Agent spec.declarative.tools[0].mcpServer.apiGroup: Invalid',
    ],
    [
      'an agent that runs in a sandbox, as a tool',
      agentWith([{ type: 'Agent', agent: { name: 'x', kind: 'SandboxAgent' } }]),
      'Agent spec.declarative.tools[0].agent.kind: Unsupported',
    ],
    [
      'a Service that is a host elsewhere',
      service('mail', { type: 'ExternalName' }, { 'kagent.dev/mcp-service-port': '80' }),
      'Service spec.type: Unsupported',
    ],
    [
      'a path that would make the Service a user',
      service(
        'mail',
        {},
        { 'kagent.dev/mcp-service-port': '80', 'kagent.dev/mcp-service-path': '@evil.example/' },
      ),
      'Service metadata.annotations["kagent.dev/mcp-service-path"]: Invalid',
    ],
    [
      'a port that is none',
      service('mail', {}, { 'kagent.dev/mcp-service-port': '70000' }),
      'Service metadata.annotations["kagent.dev/mcp-service-port"]: Invalid',
    ],
    [
      'a Service that does not say which of its ports it is',
      service('mail', { ports: [{ port: 1 }, { port: 2 }] }, { 'kagent.dev/mcp-service-path': '/mcp' }),
      'Service spec.ports: Invalid',
    ],
    [
      'a port of kmcp that is none',
      kagent('MCPServer', 'files', { deployment: { port: 0 } }),
      'MCPServer spec.deployment.port: Invalid',
    ],
    [
      'a security context that asks for more, or for other',
      kagent('Agent', 'a', {
        type: 'BYO',
        byo: { deployment: { image: 'x', podSecurityContext: { runAsNonRoot: true, runAsUser: 0 } } },
      }),
      'Agent spec.byo.deployment.podSecurityContext: Unsupported',
    ],
    [
      'a read-only root of an image that may write',
      kagent('Agent', 'a', {
        type: 'BYO',
        byo: { deployment: { image: 'x', securityContext: { readOnlyRootFilesystem: true } } },
      }),
      'Agent spec.byo.deployment.securityContext: Unsupported',
    ],
    [
      'a capability beside dropping all of them',
      kagent('Agent', 'a', {
        type: 'BYO',
        byo: {
          deployment: { image: 'x', securityContext: { capabilities: { drop: ['ALL'], add: ['NET_RAW'] } } },
        },
      }),
      'Agent spec.byo.deployment.securityContext: Unsupported',
    ],
  ])('%s', (_title, object, problem) => {
    const result = importKagent([object]);
    expect(told(result)).toEqual([problem]);
    expect(result.objects).toEqual([]);
  });

  it('two objects whose names are one here, and leaves both out', () => {
    const files = kagent('MCPServer', 'files', { deployment: {} });
    const own = ours('RemoteMCPServer', 'files', { description: '', url: 'https://files.example.com' });
    const result = importKagent([files, remoteServer('files'), own, remoteServer('other')]);
    expect(told(result)).toEqual([
      'MCPServer metadata.name: Invalid',
      'RemoteMCPServer metadata.name: Invalid',
    ]);
    expect(result.problems[0]?.message).toContain(
      'RemoteMCPServer (kagent.dev/v1alpha2), RemoteMCPServer (onbehalf.dev/v1alpha1)',
    );
    expect(result.objects).toHaveLength(2);
    expect(result.objects[0]).toBe(own);
  });

  it('no two objects of the same name whose kinds, or namespaces, stay apart', () => {
    const elsewhere = { ...remoteServer('one'), metadata: { name: 'one', namespace: 'tools' } };
    expect(
      imported(remoteServer('one'), elsewhere, kagent('ModelConfig', 'one', { model: 'm' })),
    ).toHaveLength(3);
  });

  it('a reference to a kind whose name is that of another: its tokens would go to the wrong server', () => {
    const result = importKagent([agentWith([serverTool('files', { kind: '' })]), remoteServer('files')]);
    expect(told(result)).toEqual(['Agent spec.declarative.tools[0].mcpServer.kind: NotFound']);
    expect(result.problems[0]?.message).toContain('says MCPServer');
    expect(imported(agentWith([serverTool('files')]), remoteServer('files'))).toHaveLength(2);
    const far = { ...remoteServer('files'), metadata: { name: 'files', namespace: 'tools' } };
    expect(imported(agentWith([serverTool('files', { kind: '' })]), far)).toHaveLength(2);
    expect(
      told(importKagent([agentWith([serverTool('files', { kind: '', namespace: 'tools' })]), far])),
    ).toEqual(['Agent spec.declarative.tools[0].mcpServer.kind: NotFound']);
    // Not in the set: whether it is there, the compiler finds out.
    expect(imported(agentWith([serverTool('files', { kind: 'MCPServer' })]))).toHaveLength(1);
  });
});

it('hands on no header field that is a credential of the user, and says so', () => {
  const tool = serverTool('x', { allowedHeaders: ['authorization', 'X-A', 'COOKIE', 'Proxy-Authorization'] });
  const { objects, warnings } = importKagent([agentWith([tool])]);
  expect(JSON.stringify(objects)).toContain('"allowedHeaders":["X-A"]');
  expect(warnings.map(({ field }) => field)).toEqual(
    [0, 2, 3].map((index) => `spec.declarative.tools[0].mcpServer.allowedHeaders[${index}]`),
  );
});

it('takes null for a field that is not given, as the API server does', () => {
  const [server] = imported(remoteServer('search', { tls: null, timeout: null, trust: null }));
  expect(server?.spec).toEqual({ description: 'A server.', url: 'https://search.example.com/mcp' });
});

it('says what took the place of the variables of kagent that are about tokens', () => {
  const names = [
    'STS_WELL_KNOWN_URI',
    'KAGENT_STS_AUDIENCE',
    'KAGENT_STS_RESOURCE',
    'KAGENT_PROPAGATE_TOKEN',
  ];
  const env = ['LOG', ...names].map((name) => ({ name, value: 'x' }));
  const spec = { type: 'BYO', byo: { deployment: { image: 'own', env } } };
  const { objects, warnings } = importKagent([kagent('Agent', 'own', spec)]);
  expect(objects).toMatchObject([{ spec }]);
  expect(warnings.map(({ field }) => field)).toEqual(
    [1, 2, 3, 4].map((index) => `spec.byo.deployment.env[${index}]`),
  );
  for (const { message } of warnings)
    expect(message).toContain('has no effect on the agent server of Onbehalf: ');
});

it('tells of a variable by its place in what was given, also after one that is left out', () => {
  const env = [
    { name: 'POD', valueFrom: { fieldRef: {}, resourceFieldRef: { resource: 'x' } } },
    { name: '=' },
  ];
  const result = importKagent([
    kagent('Agent', 'own', { type: 'BYO', byo: { deployment: { image: 'own', env } } }),
  ]);
  expect(result.warnings.map(({ field }) => field)).toEqual([
    'spec.byo.deployment.env[0].valueFrom.resourceFieldRef',
  ]);
  expect(told(result)).toEqual(['Agent spec.byo.deployment.env[1].name: Invalid']);
});

it('takes a protocol that kagent does not know for what kagent takes it, and says so', () => {
  const annotations = { 'kagent.dev/mcp-service-protocol': 'streamable_http' };
  const { objects, warnings } = importKagent([service('mail', { ports: [{ port: 80 }] }, annotations)]);
  expect(objects).toMatchObject([{ spec: { protocol: 'STREAMABLE_HTTP' } }]);
  expect(warnings.map(({ field }) => field)).toEqual([
    'metadata.annotations["kagent.dev/mcp-service-protocol"]',
  ]);
});

it('repeats no value of a field in what it says', () => {
  const secret = 'sk-obviously-fake';
  const { problems, warnings } = importKagent([
    kagent('ModelConfig', 'm', {
      model: 'm',
      provider: 'AzureOpenAI',
      azureOpenAI: { azureEndpoint: secret, apiVersion: '1', azureAdToken: secret, topP: secret },
    }),
    remoteServer('x', { headersFrom: [{ name: 'X', value: `${secret}\n` }], timeout: secret }),
    agentWith([], { 'onbehalf.dev/tool-targets': secret, 'onbehalf.dev/sts-audience': `${secret}\u0000` }),
  ]);
  expect(problems.length).toBeGreaterThan(4);
  expect(warnings.length).toBeGreaterThan(0);
  expect(JSON.stringify([problems, warnings])).not.toContain('obviously-fake');
});
