import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeTarget, resolveTarget, type Target } from '../../src/core/target.ts';

test('a string is an audience', () => {
  expect(resolveTarget('calendar')).toEqual({
    audiences: ['calendar'],
    resources: [],
    scopes: [],
    requestedTokenType: undefined,
  });
});

test('audiences and resources keep their order and spelling, scopes are sorted and there once', () => {
  expect(
    resolveTarget({
      audience: ['b', 'a', ' c '],
      resource: ['https://b.example.com', 'urn:a'],
      scope: ['write read', 'admin', 'read'],
      requestedTokenType: 'urn:x',
    }),
  ).toEqual({
    audiences: ['b', 'a', ' c '],
    resources: ['https://b.example.com', 'urn:a'],
    scopes: ['admin', 'read', 'write'],
    requestedTokenType: 'urn:x',
  });
});

test('what was resolved once is the same thing ever after, and nobody can change it', () => {
  const audience = ['calendar'];
  const target = resolveTarget({ audience });
  audience.push('files');
  expect(resolveTarget(target)).toBe(target);
  expect(target.audiences).toEqual(['calendar']);
  for (const each of [target, target.audiences, target.resources, target.scopes]) {
    expect(Object.isFrozen(each)).toBe(true);
  }
});

test('what only looks resolved is not trusted', () => {
  const forged = { audiences: ['calendar'], resources: ['not a uri'], scopes: [] };
  expect(() => resolveTarget(forged as Target)).toThrow(TypeError);
});

test.each<[string, object]>([
  ['at least one', {}],
  ['at least one', { audience: [], resource: [], scope: [] }],
  ['at least one', { requestedTokenType: 'urn:x' }],
  ['"audience"', { audience: '' }],
  ['"audience"', { audience: '  ' }],
  ['"audience"', { audience: ['calendar', ''] }],
  ['"audience"', { audience: ['calendar', undefined] }],
  ['"audience"', { audience: [5] }],
  ['"audience"', { audience: 5 }],
  ['"audience"', { audience: { name: 'calendar' } }],
  ['"resource"', { resource: '' }],
  ['"scope"', { scope: ' ' }],
  ['"scope"', { scope: [''] }],
  ['"requestedTokenType"', { audience: 'calendar', requestedTokenType: '' }],
  ['"requestedTokenType"', { audience: 'calendar', requestedTokenType: 5 }],
])('a target without %s is refused: %j', (named, target) => {
  expect(() => resolveTarget(target as Target)).toThrow(TypeError);
  expect(() => resolveTarget(target as Target)).toThrow(named);
});

test.each([
  'https://mcp.example.com',
  'https://mcp.example.com/billing?tenant=acme',
  'http://localhost:8080/mcp',
  'urn:example:cooperation-context',
])('RFC 8707 section 2: %s is a resource', (resource) => {
  expect(resolveTarget({ resource }).resources).toEqual([resource]);
});

test.each([
  'calendar',
  '/mcp',
  '//mcp.example.com/',
  'mcp.example.com/mcp',
  'https://mcp.example.com/#fragment',
  'https://mcp.example.com/#',
  'https://',
])('RFC 8707 section 2: %j is no absolute URI without a fragment', (resource) => {
  expect(() => resolveTarget({ resource })).toThrow('"resource"');
  expect(() => resolveTarget({ resource: ['https://mcp.example.com', resource] })).toThrow('"resource"');
});

test('the scopes of a target do not depend on how they were split or ordered', () => {
  const scope = fc.stringMatching(/^[!#-[\]-~]{1,12}$/);
  fc.assert(
    fc.property(
      fc.array(scope, { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.nat()),
      (scopes, order) => {
        const shuffled = [...scopes].sort(() => ((order.next().value ?? 0) % 2 === 0 ? 1 : -1));
        const one = resolveTarget({ scope: scopes }).scopes;
        expect(resolveTarget({ scope: shuffled.join('  ') }).scopes).toEqual(one);
        expect(new Set(one)).toEqual(new Set(scopes));
      },
    ),
  );
});

test.each<[Target, string]>([
  [{ audience: ['a', 'b'], resource: 'urn:c', scope: 'd' }, 'a b'],
  [{ resource: 'urn:c', scope: 'd' }, 'urn:c'],
  [{ scope: 'd' }, 'd'],
])('%j is described as %j', (target, text) => {
  expect(describeTarget(resolveTarget(target))).toBe(text);
});
