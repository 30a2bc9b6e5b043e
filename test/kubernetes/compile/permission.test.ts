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

/** Whoever reads it does not learn whether there is one. */
const REFUSED =
  'RemoteMCPServer tools/mail cannot be used: there is none, or it does not permit namespace demo (spec.allowedNamespaces); ' +
  'correct the reference, use one of namespace demo, or ask its owners to permit it';
const LABELLED = namespace('demo', { team: 'post' });

test.each([
  ['is not there', [...BASE, LABELLED]],
  ['says nothing', withMail(undefined, LABELLED)],
  ['says Same', withMail({ from: 'Same' }, LABELLED)],
  ['says nothing of from', withMail({}, LABELLED)],
  ['says what permits nobody, because it is not valid', withMail({ from: 'Everybody' }, LABELLED)],
  ['permits by labels that are others', withMail(SELECTOR, LABELLED)],
  [
    'is broken, and permits nobody',
    [...BASE, LABELLED, server('tools/mail', { url: 'secret-project', timeout: 7 })],
  ],
])(
  'a server of another namespace that %s cannot be used, and the problem is the same for all',
  (_, objects) => {
    const problems = problemsOf(AGENT, objects);
    expect(brief(problems)).toEqual([AT]);
    expect(problems[0]?.message).toBe(REFUSED);
  },
);

test('what is wrong with an object of another namespace is told to those that it permits', () => {
  const broken = server('tools/mail', { url: 'mail.example.com', allowedNamespaces: { from: 'All' } });
  expect(brief(problemsOf(AGENT, [...BASE, broken]))).toEqual([
    'Invalid RemoteMCPServer tools/mail spec.url',
  ]);
});

test('a TokenService of another namespace that is not there is told of as one that does not permit it', () => {
  const agent = agentWith([mcp('mail')], { tokenServiceRef: { name: 'sts', namespace: 'security' } });
  const mail = server('mail', { stsAudience: 'mail' });
  const closed = service('security/sts', { allowedNamespaces: undefined, clientID: 7 });
  const [gone, refused] = [[], [closed]].map((more) => problemsOf(agent, [...BASE, mail, ...more]));
  expect(brief(gone ?? [])).toEqual(['NotPermitted Agent demo/assistant spec.tokenServiceRef.name']);
  expect(refused).toEqual(gone);
});

test('a server of another namespace that permits all can be used', () => {
  expect(compiled(AGENT, withMail({ from: 'All' })).config.http_tools[0]?.name).toBe('tools/mail');
});

test('a server that permits by labels can be used from a namespace with those labels', () => {
  const objects = withMail(SELECTOR, namespace('demo', { team: 'mail' }));
  expect(compiled(AGENT, objects).config.http_tools).toHaveLength(1);
});

test('a server that permits by labels does not look at those of its own namespace', () => {
  const objects = withMail(SELECTOR, LABELLED, namespace('tools', { team: 'mail' }));
  expect(brief(problemsOf(AGENT, objects))).toEqual([AT]);
});

test.each([
  ['is one', withMail(SELECTOR)],
  ['is none', BASE],
])(
  'where the labels of the namespace are not known, the problem asks for its manifest: there %s',
  (_, objects) => {
    const problems = problemsOf(AGENT, objects);
    expect(brief(problems)).toEqual([AT]);
    expect(problems[0]?.message).toContain('add the manifest of that Namespace');
  },
);

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

test('the TokenService that a server names must permit the Agent too', () => {
  const tokenServiceRef = { name: 'sts', namespace: 'security' };
  const mail = server('mail', { tokenExchange: { audiences: ['mail'], tokenServiceRef } });
  const agent = agentWith([mcp('mail')]);
  const closed = service('security/sts', { allowedNamespaces: { from: 'Same' } });
  expect(brief(problemsOf(agent, [...BASE, mail, closed]))).toEqual([
    'NotPermitted RemoteMCPServer demo/mail spec.tokenExchange.tokenServiceRef.name',
  ]);
  const [target] = compiled(agent, [...BASE, mail, service('security/sts')]).targets;
  expect(target?.tokenService).toBe('security/sts');
});

test('the labels come from the look-up at each time', () => {
  const objects = withMail(SELECTOR);
  let team = 'post';
  const changing: LookUp = { ...lookUpOf(objects), namespaceLabels: () => ({ team }) };
  expect(compiling(AGENT, objects, changing).problems).toHaveLength(1);
  team = 'mail';
  expect(compiling(AGENT, objects, changing).problems).toBeUndefined();
});
