import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import { keepKeys, keepSecret, keepWhole } from '../../../src/kubernetes/controller/keep.ts';
import { createTexts } from '../../../src/kubernetes/controller/texts.ts';
import type { World } from '../../../src/kubernetes/controller/world.ts';
import { createWritten } from '../../../src/kubernetes/controller/written.ts';
import { agentOf } from './objects.ts';

const OURS = { 'app.kubernetes.io/managed-by': 'onbehalf' };

describe('what is kept of an object', () => {
  const secret = (labels?: Record<string, string>): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'a', namespace: 'team', uid: '1', resourceVersion: '2', ...(labels ? { labels } : {}) },
    data: { token: 'Y2FuYXJ5' },
  });

  test('of a Secret is no value, but the names of its keys', () => {
    const kept = keepSecret(secret());
    expect(JSON.stringify(kept)).not.toContain('Y2FuYXJ5');
    expect(Object.keys(kept.data as object)).toEqual(['token']);
    expect(kept.metadata).toMatchObject({ uid: '1', resourceVersion: '2' });
  });

  test('of a Secret of ours is a digest of each value, which another value has not', () => {
    const kept = keepSecret(secret(OURS));
    expect(JSON.stringify(kept)).not.toContain('Y2FuYXJ5');
    expect(keepSecret(secret(OURS))).toEqual(kept);
    expect(keepSecret({ ...secret(OURS), data: { token: 'eA==' } })).not.toEqual(kept);
  });

  test('of the digests of a Secret can be found by nobody who tries values', () => {
    const { data } = keepSecret(secret(OURS)) as unknown as { data: { token: string } };
    expect(data.token).not.toBe(createHash('sha256').update('Y2FuYXJ5').digest('hex'));
  });

  test('of the annotations of a Secret, whatever its labels, is only the one that is ours', () => {
    const annotations = { note: 'canary', 'onbehalf.dev/applied': 'abc' };
    const annotated = (labels?: Record<string, string>): KubeObject => {
      const bare = secret(labels);
      return { ...bare, metadata: { ...bare.metadata, annotations } };
    };
    expect(keepSecret(annotated(OURS)).metadata.annotations).toEqual({ 'onbehalf.dev/applied': 'abc' });
    expect(keepSecret(annotated()).metadata.annotations).toBeUndefined();
  });

  test('of a ConfigMap are the names of its keys, also of those that are binary', () => {
    const kept = keepKeys('ConfigMap')({ ...secret(), data: { a: 'text' }, binaryData: { b: 'AA==' } });
    expect(kept).toMatchObject({ kind: 'ConfigMap', data: { a: '', b: '' } });
  });

  test('of others is all, without the copy that kubectl leaves and who has set what', () => {
    const metadata = {
      ...secret().metadata,
      managedFields: [{}],
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', a: '1' },
    };
    const kept = keepWhole('Agent')({ metadata, spec: { x: 1 } } as unknown as KubeObject);
    expect(kept).toMatchObject({ apiVersion: 'onbehalf.dev/v1alpha1', kind: 'Agent', spec: { x: 1 } });
    expect(kept.metadata.annotations).toEqual({ a: '1' });
    expect(kept.metadata).not.toHaveProperty('managedFields');
  });
});

describe('what was written', () => {
  const at = (resourceVersion: string): KubeObject => ({
    ...{ apiVersion: 'v1', kind: 'Secret' },
    metadata: { name: 'a', resourceVersion },
  });

  test('is seen until a watch shows it, or something later', () => {
    const written = createWritten(() => 0);
    written.add('x', at('10'));
    expect(written.newest('x', undefined)).toEqual(at('10'));
    expect(written.newest('x', at('9'))).toEqual(at('10'));
    expect(written.newest('x', at('10'))).toEqual(at('10'));
    expect(written.newest('x', at('9'))).toEqual(at('9'));
    written.add('x', at('10'));
    expect(written.newest('x', at('100'))).toEqual(at('100'));
  });

  test('is not believed when it comes after the watch has said that it is gone', () => {
    let now = 0;
    const written = createWritten(() => now);
    const late = { ...at('10'), metadata: { name: 'a', uid: '1', resourceVersion: '10' } };
    written.forget('x', '1');
    written.add('x', late);
    expect(written.newest('x', undefined)).toBeUndefined();
    written.add('x', { ...late, metadata: { ...late.metadata, uid: '2' } });
    expect(written.newest('x', undefined)?.metadata.uid).toBe('2');
    now = 31_000;
    written.add('x', late);
    expect(written.newest('x', undefined)).toEqual(late);
  });

  test('is known again when a watch tells of it, and nothing else is', () => {
    const written = createWritten(() => 0);
    const known = { ...at('10'), metadata: { name: 'a', uid: '1', resourceVersion: '10' } };
    written.add('x', known);
    expect(written.isKnown('x', known)).toBe(true);
    expect(written.isKnown('y', known)).toBe(false);
    expect(written.isKnown('x', { ...known, metadata: { ...known.metadata, resourceVersion: '11' } })).toBe(
      false,
    );
    expect(written.isKnown('x', { ...known, metadata: { ...known.metadata, uid: '2' } })).toBe(false);
  });

  test('is no longer believed when the watch has said that it is gone, or after a while', () => {
    let now = 0;
    const written = createWritten(() => now);
    written.add('x', at('10'));
    written.forget('x');
    expect(written.newest('x', undefined)).toBeUndefined();
    written.add('x', at('10'));
    now = 31_000;
    expect(written.newest('x', at('9'))).toEqual(at('9'));
    expect(written.newest('x', undefined)).toBeUndefined();
  });
});

describe('the text of a ConfigMap', () => {
  const textOf = async (text: unknown): Promise<string | undefined> => {
    const object = { ...at, metadata: { name: 'prompt' }, data: { key: text } } as unknown as KubeObject;
    const texts = createTexts({ get: async () => object }, { data: () => undefined } as unknown as World);
    const systemMessageFrom = { type: 'ConfigMap', name: 'prompt', key: 'key' } as const;
    const declarative = { modelConfig: 'm', stream: false, systemMessageFrom };
    await texts.prepare(agentOf({ declarative }), new AbortController().signal);
    return texts.text('team', 'prompt', 'key');
  };
  const at = { apiVersion: 'v1', kind: 'ConfigMap' };

  test('is kept where a config can hold it', async () => {
    expect(await textOf('Help.')).toBe('Help.');
    expect(await textOf('x'.repeat(700_000))).toBe('x'.repeat(700_000));
    expect(await textOf(undefined)).toBeUndefined();
  });

  test('is not kept where none can, but only how long it is', async () => {
    const text = await textOf('x'.repeat(900_000));
    expect(text?.length).toBe(900_000);
    expect(text).not.toContain('x');
  });
});
