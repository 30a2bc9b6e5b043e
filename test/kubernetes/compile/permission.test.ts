import { expect, test } from 'vitest';
import type { LookUp } from '../../../src/kubernetes/compile/types.ts';
import { lookUpOf } from '../../../src/kubernetes/look-up.ts';
import {
  agentTool,
  agentWith,
  BASE,
  brief,
  compiled,
  compiling,
  type Given,
  mcp,
  namespace,
  problemsOf,
  server,
  service,
} from './objects.ts';

const AGENT = agentWith([mcp('tools/mail')]);
const SELECTOR = { from: 'Selector', selector: { matchLabels: { team: 'mail' } } };
const withMail = (allowedNamespaces: unknown, ...more: readonly Given[]): readonly Given[] => [
  ...BASE,
  ...more,
  server('tools/mail', allowedNamespaces === undefined ? {} : { allowedNamespaces }),
];
const AT = 'NotPermitted Agent demo/assistant spec.declarative.tools[0].mcpServer.name';

test.each([
  ['says nothing', undefined],
  ['says Same', { from: 'Same' }],
  ['says nothing of from', {}],
])('a server of another namespace that %s cannot be used', (_, allowed) => {
  const problems = problemsOf(AGENT, withMail(allowed));
  expect(brief(problems)).toEqual([AT]);
  expect(problems[0]?.message).toContain('RemoteMCPServer tools/mail');
  expect(problems[0]?.message).toContain('set its spec.allowedNamespaces');
});

test('a server of another namespace that permits all can be used', () => {
  expect(compiled(AGENT, withMail({ from: 'All' })).config.http_tools[0]?.name).toBe('tools/mail');
});

test('a server that permits by labels can be used from a namespace with those labels', () => {
  const objects = withMail(SELECTOR, namespace('demo', { team: 'mail' }));
  expect(compiled(AGENT, objects).config.http_tools).toHaveLength(1);
});

test('a server that permits by labels cannot be used from a namespace with others', () => {
  const objects = withMail(
    SELECTOR,
    namespace('demo', { team: 'post' }),
    namespace('tools', { team: 'mail' }),
  );
  const problems = problemsOf(AGENT, objects);
  expect(brief(problems)).toEqual([AT]);
  expect(problems[0]?.message).toContain('does not match the labels of namespace demo');
});

test('where the labels of the namespace are not known, the problem asks for its manifest', () => {
  const problems = problemsOf(AGENT, withMail(SELECTOR));
  expect(brief(problems)).toEqual([AT]);
  expect(problems[0]?.message).toContain('add the manifest of that Namespace');
});

test('what is in the namespace of the Agent may always be used, whatever it permits, and no labels are asked for', () => {
  const own = [...BASE, server('mail', { allowedNamespaces: SELECTOR })];
  const { dependencies } = compiling(agentWith([mcp('mail')]), own);
  expect(dependencies.filter(({ kind }) => kind === 'Namespace')).toEqual([]);
  expect(compiled(agentWith([mcp('mail')]), own).config.http_tools).toHaveLength(1);
});

test('the labels of the namespace are a dependency where a selector asks for them', () => {
  const { dependencies } = compiling(AGENT, withMail(SELECTOR));
  expect(dependencies).toContainEqual({ kind: 'Namespace', namespace: '', name: 'demo' });
});

test('an agent of another namespace is permitted as a server is', () => {
  const agent = agentWith([agentTool('tools/clerk')]);
  const clerk = (spec: object): Given => agentWith([], { ...spec }, 'tools/clerk');
  expect(brief(problemsOf(agent, [...BASE, clerk({})]))).toEqual([
    'NotPermitted Agent demo/assistant spec.declarative.tools[0].agent.name',
  ]);
  const permitted = compiled(agent, [...BASE, clerk({ allowedNamespaces: { from: 'All' } })]);
  expect(permitted.config.remote_agents).toHaveLength(1);
});

test('the TokenService that a server names must permit the namespace of the Agent, not that of the server', () => {
  const mail = server('tools/mail', {
    allowedNamespaces: { from: 'All' },
    tokenExchange: { audiences: ['mail'], tokenServiceRef: { name: 'sts' } },
  });
  const closed = service('tools/sts', { allowedNamespaces: { from: 'Same' } });
  expect(brief(problemsOf(AGENT, [...BASE, mail, closed]))).toEqual([
    'NotPermitted RemoteMCPServer tools/mail spec.tokenExchange.tokenServiceRef.name',
  ]);
  expect(compiled(AGENT, [...BASE, mail, service('tools/sts')]).targets[0]?.tokenService).toBe('tools/sts');
});

test('the labels come from the look-up at each time', () => {
  const objects = withMail(SELECTOR);
  let team = 'post';
  const changing: LookUp = { ...lookUpOf(objects), namespaceLabels: () => ({ team }) };
  expect(compiling(AGENT, objects, changing).problems).toHaveLength(1);
  team = 'mail';
  expect(compiling(AGENT, objects, changing).problems).toBeUndefined();
});
