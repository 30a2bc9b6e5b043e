import fc from 'fast-check';
import { expect, test } from 'vitest';
import { agentToolName, agentUrl } from '../../../src/kubernetes/compile/names.ts';

const NAME = /^[a-z0-9]([-a-z0-9.]{0,60}[a-z0-9])?$/;
const place = fc.record({
  namespace: fc.stringMatching(/^[ab1]([-ab]{0,4}[ab])?$/),
  name: fc.oneof(fc.stringMatching(/^[ab1]([-ab.]{0,4}[ab])?$/), fc.stringMatching(NAME)),
});

test.each([
  ['demo', 'clerk', 'demo__clerk'],
  ['back-office', 'file-clerk', 'back_office__file_clerk'],
  ['1st', 'clerk', '_1st__clerk'],
])('the agent %s/%s is the tool %s', (namespace, name, expected) => {
  expect(agentToolName(namespace, name)).toBe(expected);
});

test('every name is one that models take', () => {
  fc.assert(
    fc.property(place, ({ namespace, name }) => {
      expect(agentToolName(namespace, name)).toMatch(/^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/);
    }),
  );
  expect(agentToolName('n'.repeat(63), 'a'.repeat(253))).toHaveLength(64);
});

test('two agents never have one name', () => {
  fc.assert(
    fc.property(place, place, (one, other) => {
      fc.pre(one.namespace !== other.namespace || one.name !== other.name);
      expect(agentToolName(one.namespace, one.name)).not.toBe(agentToolName(other.namespace, other.name));
    }),
    { numRuns: 1000 },
  );
  expect(agentToolName('a--b', 'c')).not.toBe(agentToolName('a', 'b--c'));
  expect(agentToolName('a', 'b.c')).not.toBe(agentToolName('a', 'b-c'));
});

test('an agent is called at its Service', () => {
  expect(agentUrl('demo', 'clerk')).toBe('http://clerk.demo.svc:8080');
});
