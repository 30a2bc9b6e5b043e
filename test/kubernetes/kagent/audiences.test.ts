import { describe, expect, it } from 'vitest';
import { importKagent } from '../../../src/kubernetes/kagent/import.ts';
import {
  agentWith,
  imported,
  type Json,
  kagent,
  remoteServer,
  serverTool,
  service,
  told,
} from './objects.ts';

const AUDIENCE = 'onbehalf.dev/sts-audience';
const EXCHANGE = 'onbehalf.dev/token-exchange';
const TOOLS = 'onbehalf.dev/tool-targets';
const INSECURE = 'onbehalf.dev/dangerously-allow-insecure-http';
const exchange = {
  audiences: ['search'],
  resources: ['https://search.example.com/'],
  scopes: ['read'],
  requestedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
  profile: 'rfc8693',
  tokenServiceRef: { name: 'sts', namespace: 'identity' },
};

/** Each kind of object that tokens may be for, with these annotations. */
const TARGETS: Readonly<Record<string, (annotations: Readonly<Record<string, string>>) => Json>> = {
  RemoteMCPServer: (annotations) => remoteServer('search', {}, annotations),
  MCPServer: (annotations) => kagent('MCPServer', 'search', { deployment: {} }, annotations),
  Service: (annotations) => service('search', { ports: [{ port: 80 }] }, annotations),
  Agent: (annotations) => agentWith([], annotations),
};
const KINDS = Object.keys(TARGETS);
const specOf = (object: unknown): Json => imported(object)[0]?.spec as Json;
const annotated = (kind: string, annotations: Readonly<Record<string, string>>): Json =>
  TARGETS[kind]?.(annotations) ?? {};

describe.each(KINDS)('what tokens for a %s are for', (kind) => {
  it('is nothing, where nobody says it', () => {
    const spec = specOf(annotated(kind, kind === 'Service' ? { 'kagent.dev/mcp-service-port': '80' } : {}));
    expect(spec).not.toHaveProperty('stsAudience');
    expect(spec).not.toHaveProperty('tokenExchange');
    expect(spec).not.toHaveProperty('dangerouslyAllowInsecureHTTP');
  });

  it('is the audience of the annotation', () => {
    expect(specOf(annotated(kind, { [AUDIENCE]: 'https://search.example.com' }))).toMatchObject({
      stsAudience: 'https://search.example.com',
    });
  });

  it('is what the annotation with JSON says, all of it', () => {
    const spec = specOf(annotated(kind, { [EXCHANGE]: JSON.stringify(exchange) }));
    expect(spec.tokenExchange).toEqual(exchange);
  });

  it('goes over plain http only where the annotation says true', () => {
    expect(specOf(annotated(kind, { [INSECURE]: 'true' }))).toMatchObject({
      dangerouslyAllowInsecureHTTP: true,
    });
    expect(specOf(annotated(kind, { [INSECURE]: 'false' }))).not.toHaveProperty(
      'dangerouslyAllowInsecureHTTP',
    );
    expect(told(importKagent([annotated(kind, { [INSECURE]: 'yes' })]))).toEqual([
      `${kind} metadata.annotations["${INSECURE}"]: Invalid`,
    ]);
  });

  it.each([
    ['both annotations', { [AUDIENCE]: 'a', [EXCHANGE]: '{"audiences":["a"]}' }, EXCHANGE],
    ['an empty audience', { [AUDIENCE]: '' }, AUDIENCE],
    ['no JSON', { [EXCHANGE]: 'audiences: [a]' }, EXCHANGE],
    ['JSON that is no object', { [EXCHANGE]: '["a"]' }, EXCHANGE],
    ['a member nobody knows', { [EXCHANGE]: '{"audience":"a"}' }, EXCHANGE],
    ['a wrong member', { [EXCHANGE]: '{"audiences":"a"}' }, EXCHANGE],
    ['a slip in the name', { 'onbehalf.dev/sts-audiance': 'a' }, 'onbehalf.dev/sts-audiance'],
  ])('cannot be said by %s', (_title, annotations, name) => {
    const result = importKagent([annotated(kind, annotations as Readonly<Record<string, string>>)]);
    expect(told(result)).toEqual([`${kind} metadata.annotations["${name}"]: Invalid`]);
    expect(result.objects).toEqual([]);
  });
});

it('says of a field that is wrong in several ways the first', () => {
  const { problems } = importKagent([annotated('RemoteMCPServer', { [AUDIENCE]: '' })]);
  expect(problems.map(({ message }) => message)).toEqual([expect.stringMatching(/^Too small/)]);
});

it('says which member of an annotation is wrong', () => {
  const { problems } = importKagent([annotated('RemoteMCPServer', { [EXCHANGE]: '{"audiences":[5]}' })]);
  expect(problems[0]?.message).toMatch(/^audiences\[0\]: /);
});

describe('what a field and an annotation say', () => {
  it('may be the same', () => {
    const server = remoteServer('search', { stsAudience: 'a' }, { [AUDIENCE]: 'a' });
    expect(specOf(server)).toMatchObject({ stsAudience: 'a' });
    const longer = remoteServer(
      'search',
      { tokenExchange: exchange },
      { [EXCHANGE]: JSON.stringify(exchange) },
    );
    expect(specOf(longer)).toMatchObject({ tokenExchange: exchange });
  });

  it.each([
    ['another audience', { stsAudience: 'b' }, 'stsAudience'],
    ['another form', { tokenExchange: { audiences: ['a'] } }, 'tokenExchange'],
  ])('must not be %s', (_title, fields, name) => {
    const result = importKagent([remoteServer('search', fields, { [AUDIENCE]: 'a' })]);
    expect(told(result)).toEqual([`RemoteMCPServer spec.${name}: Invalid`]);
  });

  it('is the field alone where there is no annotation, also of a tool and of a server of kmcp', () => {
    expect(specOf(remoteServer('search', { stsAudience: 'a' }))).toMatchObject({ stsAudience: 'a' });
    expect(specOf(kagent('MCPServer', 'x', { deployment: {}, tokenExchange: exchange }))).toMatchObject({
      tokenExchange: exchange,
    });
    expect(toolsOf(agentWith([serverTool('search', { stsAudience: 'a' })]))).toMatchObject([
      { mcpServer: { stsAudience: 'a' } },
    ]);
  });

  it('is a problem as one: the two fields at once', () => {
    const result = importKagent([remoteServer('search', { stsAudience: 'a', tokenExchange: exchange })]);
    expect(told(result)).toEqual(['RemoteMCPServer spec: Invalid']);
  });
});

const toolsOf = (agent: unknown): readonly Json[] =>
  (specOf(agent).declarative as { readonly tools: readonly Json[] }).tools;

describe('how callers of an agent are known', () => {
  const annotation = 'onbehalf.dev/authentication';
  const authentication = {
    mode: 'JWT',
    audience: 'assistant',
    issuers: [{ issuer: 'https://login.example.com' }],
  };

  it('is what its annotation says', () => {
    const spec = specOf(agentWith([], { [annotation]: JSON.stringify(authentication) }));
    expect(spec.authentication).toEqual(authentication);
    expect(specOf(agentWith([]))).not.toHaveProperty('authentication');
  });

  it.each([
    ['no JSON', 'JWT', ''],
    ['a mode that there is not', '{"mode":"None"}', '.mode'],
    ['an issuer that is no URL', '{"issuers":[{"issuer":"login"}]}', '.issuers[0].issuer'],
    ['a member nobody knows', '{"anonymous":true}', ''],
  ])('cannot be said by %s', (_title, text, field) => {
    const result = importKagent([agentWith([], { [annotation]: text })]);
    expect(told(result)).toEqual([`Agent metadata.annotations["${annotation}"]${field}: Invalid`]);
  });

  it('is for agents only', () => {
    const result = importKagent([remoteServer('search', {}, { [annotation]: '{}' })]);
    expect(told(result)).toEqual([`RemoteMCPServer metadata.annotations["${annotation}"]: Invalid`]);
  });
});

describe('what tokens for one tool of an agent are for', () => {
  const search = serverTool('search');
  const far = serverTool('search', { namespace: 'tools' });
  const helper = { type: 'Agent', agent: { name: 'helper' } };
  const annotate = (targets: unknown, ...tools: readonly Json[]): Json =>
    agentWith(tools, { [TOOLS]: JSON.stringify(targets) });

  it('is said by its name: an audience, or either field', () => {
    const targets = {
      search: 'https://search.example.com',
      'tools/search': { tokenExchange: exchange },
      helper: { stsAudience: 'helper' },
    };
    expect(toolsOf(annotate(targets, search, far, helper))).toEqual([
      { type: 'McpServer', mcpServer: { name: 'search', stsAudience: 'https://search.example.com' } },
      { type: 'McpServer', mcpServer: { name: 'search', namespace: 'tools', tokenExchange: exchange } },
      { type: 'Agent', agent: { name: 'helper', stsAudience: 'helper' } },
    ]);
  });

  it('may be said by namespace and name of its own namespace too', () => {
    expect(toolsOf(annotate({ 'kagent/search': 'a' }, far, search))).toMatchObject([
      { mcpServer: { namespace: 'tools' } },
      { mcpServer: { stsAudience: 'a' } },
    ]);
  });

  it.each([
    ['a name of no tool', { serach: 'a' }, [search], 'serach', 'NotFound', 'those are search'],
    ['a name of a tool elsewhere', { search: 'a' }, [far], 'search', 'NotFound', 'those are tools/search'],
    ['an agent without tools', { search: 'a' }, [], 'search', 'NotFound', 'it has none'],
    ['a name of two', { helper: 'a' }, [serverTool('helper'), helper], 'helper', 'NotFound', 'more than one'],
    ['nothing', { search: {} }, [search], 'search', 'Invalid', 'exactly one of'],
    [
      'both',
      { search: { stsAudience: 'a', tokenExchange: {} } },
      [search],
      'search',
      'Invalid',
      'exactly one of',
    ],
    ['a wrong target', { search: 7 }, [search], 'search', 'Invalid', 'expected object'],
    ['an empty audience', { search: '' }, [search], 'search', 'Invalid', 'stsAudience: '],
  ])('cannot be said by %s', (_title, targets, tools, name, reason, message) => {
    const result = importKagent([annotate(targets, ...tools)]);
    expect(told(result)).toEqual([`Agent metadata.annotations["${TOOLS}"].${name}: ${reason}`]);
    expect(result.problems[0]?.message).toContain(message);
  });

  it('cannot be said by what is no JSON object', () => {
    const result = importKagent([agentWith([search], { [TOOLS]: '["search"]' })]);
    expect(told(result)).toEqual([`Agent metadata.annotations["${TOOLS}"]: Invalid`]);
  });

  it('cannot be another than the field of the tool says', () => {
    const result = importKagent([annotate({ search: 'a' }, serverTool('search', { stsAudience: 'b' }))]);
    expect(told(result)).toEqual(['Agent spec.declarative.tools[0].mcpServer.stsAudience: Invalid']);
  });

  it('is for agents only', () => {
    const result = importKagent([remoteServer('search', {}, { [TOOLS]: '{}' })]);
    expect(told(result)).toEqual([`RemoteMCPServer metadata.annotations["${TOOLS}"]: Invalid`]);
  });
});
