import { expect, onTestFinished, test } from 'vitest';
import type { AllowedNamespaces } from '../../../src/kubernetes/api/references.ts';
import type { RemoteMCPServer } from '../../../src/kubernetes/api/remote-mcp-server.ts';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import { refusal } from '../../../src/kubernetes/compile/permission.ts';
import type { LookUp } from '../../../src/kubernetes/compile/types.ts';
import { tokenServiceOf } from '../../../src/kubernetes/controller/server-readiness.ts';
import { lookUpOf } from '../../../src/kubernetes/look-up.ts';
import { worldOf } from './worlds.ts';

const NAME = 'kubernetes.io/metadata.name';

const namespace = (name: string, labels?: Record<string, string>): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Namespace' },
  metadata: { name, resourceVersion: '1', ...(labels ? { labels } : {}) },
});

const OBJECTS = [namespace('thief', { [NAME]: 'thief', untrusted: 'true' }), namespace('bare')];

test('labels of namespaces are known where namespaces are watched, and not known where they are not', async () => {
  const all = await worldOf(OBJECTS);
  expect(all.namespaceLabels('thief')).toEqual({ [NAME]: 'thief', untrusted: 'true' });
  expect(all.namespaceLabels('bare')).toEqual({});
  expect(all.namespaceLabels('none')).toBeUndefined();
  const some = await worldOf(OBJECTS, { namespaces: ['thief', 'bank'] });
  expect(some.namespaceLabels('thief')).toBeUndefined();
});

test('that many things are watched is nothing to warn of', async () => {
  const warnings: string[] = [];
  const hear = ({ name }: Error): void => void warnings.push(name);
  process.on('warning', hear);
  onTestFinished(() => void process.off('warning', hear));
  await worldOf(OBJECTS, { namespaces: ['thief', 'bank'] });
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings).toEqual([]);
});

test.each<[string, boolean, AllowedNamespaces['selector']]>([
  [
    'a label that is not there',
    false,
    { matchExpressions: [{ key: 'untrusted', operator: 'DoesNotExist' }] },
  ],
  [
    'a label with no such value',
    false,
    { matchExpressions: [{ key: 'untrusted', operator: 'NotIn', values: ['true'] }] },
  ],
  ['a label', false, { matchLabels: { team: 'a' } }],
  ['the name and a label', false, { matchLabels: { [NAME]: 'thief', team: 'a' } }],
  [
    'the name and a label that is not there',
    false,
    { matchLabels: { [NAME]: 'thief' }, matchExpressions: [{ key: 'team', operator: 'DoesNotExist' }] },
  ],
  ['the name', true, { matchLabels: { [NAME]: 'thief' } }],
  ['one of some names', true, { matchExpressions: [{ key: NAME, operator: 'In', values: ['a', 'thief'] }] }],
  ['another name', false, { matchLabels: { [NAME]: 'bank' } }],
  ['any name but this', false, { matchExpressions: [{ key: NAME, operator: 'NotIn', values: ['thief'] }] }],
])('in some namespaces only, a selector that asks for %s permits: %s', async (_, permits, selector) => {
  const world = await worldOf(OBJECTS, { namespaces: ['thief', 'bank'] });
  const lookUp: LookUp = { ...world, text: () => undefined };
  const refused = refusal({ from: 'Selector', selector }, { to: 'bank', from: 'thief' }, lookUp);
  expect(refused === undefined).toBe(permits);
});

const service = (allowedNamespaces: object | undefined): object => ({
  ...{ apiVersion: 'onbehalf.dev/v1alpha1', kind: 'TokenService' },
  metadata: { name: 'private', namespace: 'bank' },
  spec: { issuer: 'https://sts.secret-project.invalid', clientID: 'a', allowedNamespaces },
  status: { conditions: [{ type: 'Ready', status: 'False', message: 'https://sts.secret-project.invalid' }] },
});

const prober = {
  spec: { tokenExchange: { audiences: ['a'], tokenServiceRef: { name: 'private', namespace: 'bank' } } },
} as unknown as RemoteMCPServer;

const factsOf = (objects: readonly object[]): ReturnType<typeof tokenServiceOf> =>
  tokenServiceOf(
    { kind: 'RemoteMCPServer', namespace: 'thief', name: 'probe' },
    prober,
    lookUpOf([...objects, ...OBJECTS] as unknown as Parameters<typeof lookUpOf>[0]),
  );

test('a server learns nothing of a TokenService that does not permit its namespace, not even whether it is there', () => {
  const facts = factsOf([service(undefined)]);
  expect(facts.problems[0]).toMatchObject({ reason: 'NotPermitted' });
  expect(JSON.stringify(facts)).not.toContain('secret-project');
  expect(factsOf([])).toEqual(facts);
});

test('a server learns of a TokenService of another namespace that permits it', () => {
  const { problems, notReady } = factsOf([service({ from: 'All' })]);
  expect(problems).toEqual([]);
  expect(notReady?.message).toContain('secret-project');
});
