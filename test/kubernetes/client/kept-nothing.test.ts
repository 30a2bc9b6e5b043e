import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { type Line, readLines } from '../../../src/kubernetes/client/body.ts';
import { createReflector } from '../../../src/kubernetes/client/reflector.ts';
import { RESOURCES } from '../../../src/kubernetes/client/resources.ts';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import { createSimulatedTime, settle } from '../../support/simulated-time.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('A line is empty when it has been taken, and its bytes are gone when the next one is waited for', async () => {
  const chunk = Buffer.from('{"a":1}\n{"b":2}\n{"c"');
  const body = new Readable({ read: () => {} });
  body.push(chunk);
  const lines = readLines(body, { maxBytes: 100, idleMs: 1_000, time: createSimulatedTime() });
  const first = (await lines.next()).value as Line;
  expect([first.take(), first.take()]).toEqual(['{"a":1}', '']);
  const second = (await lines.next()).value as Line;
  expect(second.take()).toBe('{"b":2}');
  const third = lines.next();
  await settle();
  expect(chunk.every((byte) => byte === 0)).toBe(true);
  // What was left of it is not lost.
  body.push(':3}\n');
  expect(((await third).value as Line).take()).toBe('{"c":3}');
  await lines.return();
});

test('A reflector that waits for the next event holds nothing of the last but what was kept', async () => {
  const ending = new AbortController();
  let last: WeakRef<object> | undefined;
  const secret = (resourceVersion: string): KubeObject => {
    const object = {
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a', namespace: 'team', resourceVersion } },
      data: { token: 'not-a-real-token' },
    };
    last = new WeakRef(object);
    return object;
  };
  const reflector = createReflector<string>({
    client: {
      async *pages() {
        yield { items: [], resourceVersion: '1' };
      },
      async *watch(_resource, _from, signal) {
        yield { type: 'ADDED', object: secret('2') };
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      },
    },
    resource: RESOURCES.Secret,
    keep: ({ metadata }) => `kept ${metadata.resourceVersion}`,
    onChange: () => {},
  });
  const run = reflector.run(ending.signal);
  await reflector.synced;
  while (reflector.get('team', 'a') === undefined) await settle();
  // A WeakRef holds its object until the end of the turn in which it was made.
  await settle();
  collect();
  expect(reflector.get('team', 'a')).toBe('kept 2');
  expect(last?.deref()).toBeUndefined();
  ending.abort();
  await run;
});
