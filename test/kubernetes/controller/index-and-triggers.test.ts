import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import type { ObjectKey } from '../../../src/kubernetes/compile/types.ts';
import { createDependencyIndex } from '../../../src/kubernetes/controller/dependency-index.ts';
import { keyOfText, keyText } from '../../../src/kubernetes/controller/keys.ts';
import { triggeredBy } from '../../../src/kubernetes/controller/triggers.ts';

const key = (kind: ObjectKey['kind'], name: string, namespace = 'team'): ObjectKey => ({
  kind,
  namespace,
  name,
});

describe('the index of dependencies', () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const objects = fc.uniqueArray(name).map((names) => names.map((one) => key('RemoteMCPServer', one)));

  test('is what a search through all would find, after any changes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.option(objects))), (changes) => {
        const index = createDependencyIndex();
        const model = new Map<string, readonly ObjectKey[]>();
        for (const [dependent, dependencies] of changes) {
          if (dependencies === null) {
            index.forget(dependent);
            model.delete(dependent);
          } else {
            index.set(dependent, dependencies);
            model.set(dependent, dependencies);
          }
        }
        for (const one of ['a', 'b', 'c']) {
          const found = [...model].filter(([, all]) => all.some((object) => object.name === one));
          const wanted = found.map(([dependent]) => dependent).sort();
          expect(index.dependentsOf(key('RemoteMCPServer', one))).toEqual(wanted);
        }
        expect(index.size()).toBe([...model.values()].flat().length);
      }),
    );
  });

  test('tells kinds and namespaces apart', () => {
    const index = createDependencyIndex();
    index.set('x', [key('Secret', 'a')]);
    expect(index.dependentsOf(key('ConfigMap', 'a'))).toEqual([]);
    expect(index.dependentsOf(key('Secret', 'a', 'other'))).toEqual([]);
  });
});

test('a key is the same after it was text', () => {
  for (const one of [key('Agent', 'a'), key('Namespace', 'a', '')])
    expect(keyOfText(keyText(one))).toEqual(one);
});

describe('a change', () => {
  const index = createDependencyIndex();
  index.set('Agent/team/helper', [
    key('RemoteMCPServer', 'mail'),
    key('Secret', 'keys'),
    key('Agent', 'other'),
    key('Namespace', 'team', ''),
  ]);
  const object = (kind: string, name: string, more: object = {}, status?: object): KubeObject => ({
    apiVersion: 'v1',
    kind,
    metadata: { name, namespace: 'team', uid: '1', generation: 1, resourceVersion: '1', ...more },
    ...(status ? { status } : {}),
  });
  const triggered = (
    before: KubeObject | undefined,
    after: KubeObject | undefined,
    isEcho = false,
  ): readonly string[] => {
    const { kind, metadata } = (after ?? before) as KubeObject;
    const namespace = kind === 'Namespace' ? '' : 'team';
    return triggeredBy(
      { kind: kind as 'Agent', namespace, name: metadata.name, before, after, isEcho },
      index,
    );
  };

  test('of a server is for itself and those that depend on it, also when it comes or goes', () => {
    const server = object('RemoteMCPServer', 'mail');
    const wanted = ['RemoteMCPServer/team/mail', 'Agent/team/helper'];
    expect(triggered(undefined, server)).toEqual(wanted);
    expect(triggered(server, undefined)).toEqual(wanted);
    expect(triggered(server, object('RemoteMCPServer', 'mail', { generation: 2 }))).toEqual(wanted);
    expect(triggered(server, object('RemoteMCPServer', 'mail', { uid: '2' }))).toEqual(wanted);
  });

  test('of a status is for others only where they look at it', () => {
    const ready = (status: string, time = 'x'): object => ({
      conditions: [{ type: 'Ready', status, lastTransitionTime: time }],
    });
    const withStatus = (kind: string, name: string, status: object): KubeObject =>
      object(kind, name, { resourceVersion: '2' }, status);
    const mail = (status: object): KubeObject => withStatus('RemoteMCPServer', 'mail', status);
    const own = ['RemoteMCPServer/team/mail'];
    expect(triggered(mail(ready('True')), mail(ready('True', 'y')))).toEqual(own);
    expect(triggered(mail(ready('True')), mail(ready('False')))).toEqual([...own, 'Agent/team/helper']);
    expect(triggered(mail({}), mail({ discoveredTools: [{ name: 'a' }] }))).toEqual([
      ...own,
      'Agent/team/helper',
    ]);
    const other = (status: object): KubeObject => withStatus('Agent', 'other', status);
    expect(triggered(other(ready('True')), other(ready('False')))).toEqual(['Agent/team/other']);
  });

  test('of a Secret is for those that depend on it, and of a child for its agent', () => {
    const keys = object('Secret', 'keys');
    expect(triggered(keys, object('Secret', 'keys', { resourceVersion: '2' }))).toEqual([
      'Agent/team/helper',
    ]);
    expect(triggered(undefined, object('Secret', 'unused'))).toEqual([]);
    const labels = { 'onbehalf.dev/agent': 'one' };
    expect(triggered(undefined, object('Deployment', 'one', { labels }))).toEqual(['Agent/team/one']);
    // As it was before it lost its label.
    expect(triggered(object('Deployment', 'one', { labels }), object('Deployment', 'one'))).toEqual([
      'Agent/team/one',
    ]);
    const ownerReferences = [{ apiVersion: 'onbehalf.dev/v1alpha1', kind: 'Agent', name: 'two', uid: '2' }];
    expect(triggered(undefined, object('Secret', 'x', { ownerReferences }))).toEqual(['Agent/team/two']);
  });

  test("of the controller's own is news to those that depend on it alone", () => {
    const server = object('RemoteMCPServer', 'mail');
    expect(triggered(undefined, server, true)).toEqual(['Agent/team/helper']);
    expect(triggered(undefined, object('Agent', 'one'), true)).toEqual([]);
    const labels = { 'onbehalf.dev/agent': 'one' };
    expect(triggered(undefined, object('Deployment', 'one', { labels }), true)).toEqual([]);
  });

  test('of a namespace counts where its labels change', () => {
    const before = object('Namespace', 'team', { labels: { a: '1' } });
    expect(
      triggered(before, object('Namespace', 'team', { labels: { a: '1' }, resourceVersion: '2' })),
    ).toEqual([]);
    expect(triggered(before, object('Namespace', 'team', { labels: { a: '2' } }))).toEqual([
      'Agent/team/helper',
    ]);
  });
});
