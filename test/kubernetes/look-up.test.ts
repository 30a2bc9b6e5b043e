import { expect, test } from 'vitest';
import { lookUpOf } from '../../src/kubernetes/look-up.ts';
import { data, namespace, ours, server } from './compile/objects.ts';

test('objects of the group are found by kind, namespace and name', () => {
  const mail = server('mail');
  const lookUp = lookUpOf([mail, server('tools/mail')]);
  expect(lookUp.object('RemoteMCPServer', 'demo', 'mail')).toBe(mail);
  expect(lookUp.object('RemoteMCPServer', 'demo', 'post')).toBeUndefined();
  expect(lookUp.object('Agent', 'demo', 'mail')).toBeUndefined();
});

test('an object without a namespace is in the namespace default', () => {
  const mail = { ...server('mail'), metadata: { name: 'mail' } };
  expect(lookUpOf([mail]).object('RemoteMCPServer', 'default', 'mail')).toBe(mail);
});

test('an object of kagent of the same kind is not found', () => {
  const agent = { ...ours('Agent', 'a', {}), apiVersion: 'kagent.dev/v1alpha2' };
  expect(lookUpOf([agent]).object('Agent', 'demo', 'a')).toBeUndefined();
});

test('an object of another version of the group is found, so that its version can be told', () => {
  const agent = { ...ours('Agent', 'a', {}), apiVersion: 'onbehalf.dev/v9' };
  expect(lookUpOf([agent]).object('Agent', 'demo', 'a')).toBe(agent);
});

test('of a Secret the keys are known, sorted, and no value can be had', () => {
  const secret = {
    ...data('Secret', 'keys', { b: 'planted-value', a: 'planted-value' }),
    stringData: { c: 'x', a: 'y' },
  };
  const lookUp = lookUpOf([secret]);
  expect(lookUp.data('Secret', 'demo', 'keys')).toEqual({ keys: ['a', 'b', 'c'], version: '' });
  expect(lookUp.text('demo', 'keys', 'a')).toBeUndefined();
});

test('of a Secret or ConfigMap that is not given nothing is known, which is no error', () => {
  const lookUp = lookUpOf([]);
  expect(lookUp.data('Secret', 'demo', 'keys')).toEqual({ keys: undefined, version: '' });
  expect(lookUp.data('ConfigMap', 'demo', 'keys')).toEqual({ keys: undefined, version: '' });
  expect(lookUp.text('demo', 'keys', 'a')).toBeUndefined();
});

test('the text of a ConfigMap is known, and only its own members', () => {
  const lookUp = lookUpOf([
    { ...data('ConfigMap', 'prompts', { a: 'Be kind.' }), binaryData: { b: 'eA==' } },
  ]);
  expect(lookUp.text('demo', 'prompts', 'a')).toBe('Be kind.');
  expect(lookUp.text('demo', 'prompts', 'b')).toBeUndefined();
  expect(lookUp.text('demo', 'prompts', 'toString')).toBeUndefined();
  expect(lookUp.data('ConfigMap', 'demo', 'prompts')?.keys).toEqual(['a', 'b']);
});

test('a Namespace has its labels, and the one that the API server gives it', () => {
  const lookUp = lookUpOf([namespace('demo', { team: 'mail' }), namespace('bare')]);
  expect(lookUp.namespaceLabels('demo')).toEqual({ team: 'mail', 'kubernetes.io/metadata.name': 'demo' });
  expect(lookUp.namespaceLabels('bare')).toEqual({ 'kubernetes.io/metadata.name': 'bare' });
  expect(lookUp.namespaceLabels('other')).toBeUndefined();
});
