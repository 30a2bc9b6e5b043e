import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { childrenOf } from '../../../src/kubernetes/controller/children.ts';
import { differs } from '../../../src/kubernetes/controller/differs.ts';
import { agentOf, compiledOf } from './objects.ts';

const json = fc.jsonValue();

test('nothing differs from itself', () => {
  fc.assert(
    fc.property(json, (value) => {
      expect(differs(value, structuredClone(value))).toBe(false);
    }),
  );
});

test('what the API server fills in is no difference', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), json), fc.string(), json, (want, name, more) => {
      fc.pre(!Object.hasOwn(want, name));
      expect(differs(want, { [name]: more, ...want })).toBe(false);
    }),
  );
});

test('a missing member is a difference, unless it is empty', () => {
  expect(differs({ a: 1 }, {})).toBe(true);
  expect(differs({ a: false }, {})).toBe(true);
  expect(differs({ a: 0 }, {})).toBe(true);
  expect(differs({ emptyDir: {} }, { hostPath: { path: '/' } })).toBe(true);
  for (const empty of ['', [], null, undefined]) expect(differs({ a: empty }, {})).toBe(false);
});

test('a member that is undefined says nothing', () => {
  expect(differs({ a: undefined }, { a: 1 })).toBe(false);
});

test('something where nothing is wanted is a difference', () => {
  expect(differs({ value: '' }, { value: 'x' })).toBe(true);
  expect(differs({ args: [] }, { args: ['x'] })).toBe(true);
});

test('a value of another type is a difference', () => {
  for (const other of ['1', [1], { 0: 1 }, null, true]) expect(differs({ a: 1 }, { a: other })).toBe(true);
  expect(differs({ a: {} }, { a: [] })).toBe(true);
  expect(differs({ a: [1] }, { a: { 0: 1 } })).toBe(true);
});

test('members of the prototype are not there', () => {
  expect(differs({ constructor: 'x' }, {})).toBe(true);
});

describe('lists', () => {
  test.each(['containers', 'env', 'volumes', 'imagePullSecrets'])('%s are told apart by name', (name) => {
    const want = { [name]: [{ name: 'a', x: 1 }, { name: 'b' }] };
    expect(differs(want, { [name]: [{ name: 'c' }, { name: 'b' }, { name: 'a', x: 1, y: 2 }] })).toBe(false);
    expect(differs(want, { [name]: [{ name: 'b' }, { name: 'a', x: 2 }] })).toBe(true);
    expect(differs(want, { [name]: [{ name: 'b' }] })).toBe(true);
    expect(differs(want, {})).toBe(true);
  });

  test('mounts are told apart by their path, owners by their uid', () => {
    const mounts = { volumeMounts: [{ name: 'a', mountPath: '/a' }] };
    expect(differs(mounts, { volumeMounts: [{ name: 'z', mountPath: '/z' }, ...mounts.volumeMounts] })).toBe(
      false,
    );
    expect(differs(mounts, { volumeMounts: [{ name: 'a', mountPath: '/b' }] })).toBe(true);
    const owners = { ownerReferences: [{ uid: '1', controller: true }] };
    expect(differs(owners, { ownerReferences: [{ uid: '2' }, { uid: '1', controller: true }] })).toBe(false);
    expect(differs(owners, { ownerReferences: [{ uid: '2', controller: true }] })).toBe(true);
  });

  test('ports are told apart by what a container and a Service call them', () => {
    const container = { ports: [{ containerPort: 8080, name: 'http' }] };
    expect(differs(container, { ports: [{ containerPort: 9 }, { containerPort: 8080, name: 'http' }] })).toBe(
      false,
    );
    expect(differs(container, { ports: [{ containerPort: 8081, name: 'http' }] })).toBe(true);
    const service = { ports: [{ port: 8080, targetPort: 'http' }] };
    expect(differs(service, { ports: [{ port: 8080, targetPort: 'http', nodePort: 1 }] })).toBe(false);
    expect(differs(service, { ports: [{ port: 8080, targetPort: 'other' }] })).toBe(true);
  });

  test('others are one value: order and length count', () => {
    expect(differs({ args: ['a', 'b'] }, { args: ['b', 'a'] })).toBe(true);
    expect(differs({ args: ['a'] }, { args: ['a', 'b'] })).toBe(true);
    expect(
      differs({ sources: [{ secret: { name: 'a' } }] }, { sources: [{ secret: { name: 'a', mode: 1 } }] }),
    ).toBe(false);
  });
});

test('amounts of resources may be written in another way', () => {
  const want = { resources: { limits: { cpu: '0.5' }, requests: { memory: '1024Mi' } } };
  expect(differs(want, { resources: { limits: { cpu: '500m' }, requests: { memory: '1Gi' } } })).toBe(false);
  expect(differs(want, { resources: { limits: { cpu: '501m' }, requests: { memory: '1Gi' } } })).toBe(true);
  expect(differs(want, { resources: { limits: {}, requests: { memory: '1Gi' } } })).toBe(true);
  expect(differs({ labels: { a: '1.0' } }, { labels: { a: '1' } })).toBe(true);
});

test('each change by hand of a child is noticed', () => {
  const { objects } = childrenOf(agentOf(), compiledOf({ tokens: [TOKEN] }), { agentImage: 'agent:1' });
  for (const want of objects) {
    for (const path of leaves(want)) expect(differs(want, changed(want, path)), path.join('.')).toBe(true);
  }
});

const TOKEN = { audience: 'sts', expirationSeconds: 3600, path: '/var/run/secrets/onbehalf/tokens/0123abcd' };

type Path = readonly (string | number)[];

/** The paths of all values that are no containers of others. */
function leaves(value: unknown, path: Path = []): readonly Path[] {
  if (Array.isArray(value)) return value.flatMap((item, at) => leaves(item, [...path, at]));
  if (typeof value !== 'object' || value === null) return value === undefined ? [] : [path];
  return Object.entries(value).flatMap(([name, member]) => leaves(member, [...path, name]));
}

function changed(value: unknown, path: Path): unknown {
  const copy = structuredClone(value) as Record<string | number, unknown>;
  const holder = path
    .slice(0, -1)
    .reduce<Record<string | number, unknown>>(
      (one, step) => one[step] as Record<string | number, unknown>,
      copy,
    );
  holder[path.at(-1) as string | number] = 'something else';
  return copy;
}
