import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import { keepKeys, keepSecret, keepWhole } from '../../../src/kubernetes/controller/keep.ts';
import { createRechecks } from '../../../src/kubernetes/controller/rechecks.ts';
import { createWritten } from '../../../src/kubernetes/controller/written.ts';

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

describe('looks at what is outside', () => {
  test('are not repeated before their time, and sooner where something was wrong', async () => {
    let now = 0;
    let looks = 0;
    let ok = true;
    const rechecks = createRechecks<number>({ now: () => now });
    const look = (version = '1'): Promise<{ readonly value: number; readonly nextMs: number }> =>
      rechecks.look('x', version, async () => ({ value: ++looks, ok }));
    const first = await look();
    expect(first.nextMs).toBeGreaterThanOrEqual(270_000);
    expect(first.nextMs).toBeLessThanOrEqual(330_000);
    now = 200_000;
    expect(await look()).toMatchObject({ value: 1, nextMs: first.nextMs - 200_000 });
    ok = false;
    now = first.nextMs;
    const second = await look();
    expect(second.value).toBe(2);
    expect(second.nextMs).toBeLessThan(20_000);
    now += second.nextMs;
    expect((await look()).value).toBe(3);
  });

  test('are made at once when what is looked at is another, or was forgotten', async () => {
    let looks = 0;
    const rechecks = createRechecks<number>({ now: () => 0 });
    const look = (version: string): Promise<{ readonly value: number }> =>
      rechecks.look('x', version, async () => ({ value: ++looks, ok: true }));
    await look('1');
    expect((await look('1')).value).toBe(1);
    expect((await look('2')).value).toBe(2);
    rechecks.forget('x');
    expect((await look('2')).value).toBe(3);
  });
});
