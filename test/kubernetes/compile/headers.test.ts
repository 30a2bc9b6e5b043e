import { expect, test } from 'vitest';
import { secretSource } from '../../../src/config/secret-text.ts';
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
  problemsOf,
  server,
} from './objects.ts';

const fromSecret = (name: string, key = 'key'): object => ({
  name,
  valueFrom: { type: 'Secret', name: 'headers', key },
});
const PATH = '/var/run/secrets/onbehalf/data';

const headersOf = (
  ofTool: unknown[],
  ofServer: unknown[] = [],
): Readonly<Record<string, string>> | undefined => {
  const agent = agentWith([mcp('mail', {}, { headersFrom: ofTool })]);
  return compiled(agent, [...BASE, server('mail', { headersFrom: ofServer })]).config.http_tools[0]?.params
    .headers;
};

test('headers of the server and of the tool reference are sent, sorted by name', () => {
  expect(
    Object.entries(
      headersOf(
        [{ name: 'a', value: '1' }],
        [
          { name: 'X', value: '3' },
          { name: 'B', value: '2' },
        ],
      ) ?? {},
    ),
  ).toEqual([
    ['a', '1'],
    ['B', '2'],
    ['X', '3'],
  ]);
});

test('without any there is no member headers', () => {
  expect(headersOf([])).toBeUndefined();
});

test('a header of the tool reference wins over that of the server, in whatever case', () => {
  expect(headersOf([{ name: 'X-TENANT', value: 'mine' }], [{ name: 'x-tenant', value: 'its' }])).toEqual({
    'X-TENANT': 'mine',
  });
});

test('a header from a Secret or ConfigMap is a file of the pod, never its value', () => {
  const configMap = { type: 'ConfigMap', name: 'settings', key: 'tenant' };
  const agent = agentWith([
    mcp('mail', {}, { headersFrom: [fromSecret('X-Key'), { name: 'X-Tenant', valueFrom: configMap }] }),
  ]);
  const objects = [
    ...BASE,
    server('mail'),
    data('Secret', 'headers', { key: 'planted-value' }),
    data('ConfigMap', 'settings', { tenant: 'planted-tenant' }),
  ];
  const { config, mounts, dataVersions } = compiled(agent, objects);
  expect(config.http_tools[0]?.params.headers).toEqual({
    'X-Key': `file:${PATH}/secret/headers/key`,
    'X-Tenant': `file:${PATH}/configmap/settings/tenant`,
  });
  expect(mounts).toEqual([
    { kind: 'ConfigMap', name: 'settings', key: 'tenant', path: `${PATH}/configmap/settings/tenant` },
    { kind: 'Secret', name: 'headers', key: 'key', path: `${PATH}/secret/headers/key` },
  ]);
  expect(dataVersions).toEqual(['ConfigMap/settings/', 'Secret/headers/']);
  expect(JSON.stringify(config)).not.toContain('planted');
});

const variable = (name: string): string => `\${${name}}`;

test.each([
  ...[variable('HOME'), `$${variable('A')} and ${variable('B')}`],
  ...['file:/etc/passwd', '$file:/x', 'a$b', '$$', 'plain'],
])('the plain value %s is that text for the agent, not a reference', (value) => {
  const text = headersOf([{ name: 'X', value }])?.X ?? '';
  expect(secretSource(text, { HOME: '/root', A: 'a', B: 'b' })).toBe(value);
});

test('a header that is given twice in one list is a problem', () => {
  const twice = [
    { name: 'X-A', value: '1' },
    { name: 'x-a', value: '2' },
  ];
  const agent = agentWith([mcp('mail', {}, { headersFrom: twice })]);
  expect(brief(problemsOf(agent, [...BASE, server('mail')]))).toEqual([
    'Invalid Agent demo/assistant spec.declarative.tools[0].headersFrom[1].name',
  ]);
  const its = problemsOf(agentWith([mcp('mail')]), [...BASE, server('mail', { headersFrom: twice })]);
  expect(brief(its)).toEqual(['Invalid RemoteMCPServer demo/mail spec.headersFrom[1].name']);
});

test('a value that no header field can hold is a problem, and is not repeated', () => {
  const agent = agentWith([mcp('mail', {}, { headersFrom: [{ name: 'X', value: 'Zoë 日本' }] })]);
  const problems = problemsOf(agent, [...BASE, server('mail')]);
  expect(brief(problems)).toEqual([
    'Invalid Agent demo/assistant spec.declarative.tools[0].headersFrom[0].value',
  ]);
  expect(JSON.stringify(problems)).not.toContain('Zoë');
});

test('a name that no JSON object can have like others is refused', () => {
  const agent = agentWith([mcp('mail', {}, { headersFrom: [{ name: '__proto__', value: 'a' }] })]);
  expect(brief(problemsOf(agent, [...BASE, server('mail')]))).toEqual([
    'Invalid Agent demo/assistant spec.declarative.tools[0].headersFrom[0].name',
  ]);
});

const FOREIGN: readonly Given[] = [
  ...BASE,
  server('tools/mail', { allowedNamespaces: { from: 'All' }, headersFrom: [fromSecret('X-Key')] }),
];

test('a Secret header of a server in another namespace cannot be mounted, and the problem says the way out', () => {
  const problems = problemsOf(agentWith([mcp('tools/mail')]), FOREIGN);
  expect(brief(problems)).toEqual([
    'NotPermitted RemoteMCPServer tools/mail spec.headersFrom[0].valueFrom.name',
  ]);
  expect(problems[0]?.message).toContain("headersFrom of the Agent's tool");
});

test('the way out works: the same header at the tool reference, from a Secret of the Agent’s namespace', () => {
  const agent = agentWith([mcp('tools/mail', {}, { headersFrom: [fromSecret('x-key')] })]);
  expect(compiled(agent, FOREIGN).config.http_tools[0]?.params.headers).toEqual({
    'x-key': `file:${PATH}/secret/headers/key`,
  });
});

test('a plain header of a server in another namespace is sent', () => {
  const mail = server('tools/mail', {
    allowedNamespaces: { from: 'All' },
    headersFrom: [{ name: 'X', value: '1' }],
  });
  expect(
    compiled(agentWith([mcp('tools/mail')]), [...BASE, mail]).config.http_tools[0]?.params.headers,
  ).toEqual({
    X: '1',
  });
});

test('a key that a Secret lacks is a problem at the key', () => {
  const agent = agentWith([mcp('mail', {}, { headersFrom: [fromSecret('X', 'kye')] })]);
  const problems = problemsOf(agent, [...BASE, server('mail'), data('Secret', 'headers', { key: 'x' })]);
  expect(brief(problems)).toEqual([
    'KeyNotFound Agent demo/assistant spec.declarative.tools[0].headersFrom[0].valueFrom.key',
  ]);
  expect(problems[0]?.message).toContain('has no key "kye"; it has key');
});

test('an agent as a tool gets the headers of its reference', () => {
  const agent = agentWith([agentTool('clerk', {}, { headersFrom: [{ name: 'X', value: '1' }] })]);
  const clerk = agentWith([], {}, 'clerk');
  expect(compiled(agent, [...BASE, clerk]).config.remote_agents[0]?.headers).toEqual({ X: '1' });
});

test('header values that no server would take are a problem before anything is done with them', () => {
  const list = (count: number): object[] =>
    Array.from({ length: count }, (_, index) => ({ name: `X-${index}`, value: '$'.repeat(8192) }));
  const mail = (count: number): Given => server('mail', { headersFrom: list(count) });
  const agent = agentWith([mcp('mail')]);
  expect(compiling(agent, [...BASE, mail(8)]).problems).toBeUndefined();
  expect(brief(problemsOf(agent, [...BASE, mail(9)]))).toEqual([
    'Invalid RemoteMCPServer demo/mail spec.headersFrom',
  ]);
  const own = agentWith([mcp('mail', {}, { headersFrom: list(9) })]);
  expect(brief(problemsOf(own, [...BASE, server('mail')]))).toEqual([
    'Invalid Agent demo/assistant spec.declarative.tools[0].headersFrom',
  ]);
});
