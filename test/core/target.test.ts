import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Check, describeTarget, resolveTarget, type Target, targetForm } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';

const AS = createTokenService({ tokenEndpoint: 'https://as.example.com/token', clientId: 'agent' });

/** What a target has that says nothing of these. */
const PLAIN = {
  requestedTokenType: undefined,
  profile: undefined,
  authorizationServer: undefined,
  allowOpaqueIssued: false,
  unchecked: [],
};

test('a string is an audience', () => {
  expect(resolveTarget('calendar')).toStrictEqual({
    ...PLAIN,
    audiences: ['calendar'],
    resources: [],
    scopes: [],
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
  ).toStrictEqual({
    ...PLAIN,
    audiences: ['b', 'a', ' c '],
    resources: ['https://b.example.com', 'urn:a'],
    scopes: ['admin', 'read', 'write'],
    requestedTokenType: 'urn:x',
  });
});

test('how a token is got and what is not checked of it stay with the target', () => {
  const jag: Target = {
    ...{ resource: 'https://mcp.example.com', profile: 'id-jag', authorizationServer: AS },
    ...{ allowOpaqueIssued: true, unchecked: ['scope', 'actor', 'scope'] },
  };
  expect(resolveTarget(jag)).toStrictEqual({
    audiences: [],
    resources: ['https://mcp.example.com'],
    scopes: [],
    requestedTokenType: undefined,
    profile: 'id-jag',
    authorizationServer: AS,
    allowOpaqueIssued: true,
    unchecked: ['actor', 'scope'],
  });
  for (const profile of ['rfc8693', 'entra-obo'] as const) {
    expect(resolveTarget({ audience: 'calendar', profile }).profile).toBe(profile);
  }
});

test('what was resolved once is the same thing ever after, and nobody can change it', () => {
  const audience = ['calendar'];
  const unchecked: Check[] = ['scope'];
  const target = resolveTarget({ audience, unchecked });
  audience.push('files');
  unchecked.push('audience');
  expect(resolveTarget(target)).toBe(target);
  expect(target).toMatchObject({ audiences: ['calendar'], unchecked: ['scope'] });
  for (const each of [target, target.audiences, target.resources, target.scopes, target.unchecked]) {
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
  ['"rfc8693" or "entra-obo" or "id-jag"', { audience: 'calendar', profile: 'obo' }],
  ['"profile"', { audience: 'calendar', profile: '' }],
  ['"authorizationServer"', { resource: 'https://mcp.example.com', profile: 'id-jag' }],
  ['"authorizationServer"', { audience: 'calendar', authorizationServer: AS }],
  ['"authorizationServer"', { audience: 'calendar', profile: 'entra-obo', authorizationServer: AS }],
  [
    '"authorizationServer"',
    { audience: 'x', profile: 'id-jag', authorizationServer: 'https://as.example.com' },
  ],
  ['"allowOpaqueIssued"', { audience: 'calendar', allowOpaqueIssued: 'yes' }],
  ['"unchecked"', { audience: 'calendar', unchecked: 'scope' }],
  ['"unchecked"', { audience: 'calendar', unchecked: { scope: true } }],
  ['"unchecked"', { audience: 'calendar', unchecked: null }],
  ['audience, other_audiences, subject, scope, actor', { audience: 'calendar', unchecked: ['expiry'] }],
  ['"allowOpaque" is no option', { audience: 'calendar', allowOpaque: true }],
  ['"aud" is no option', { aud: 'calendar' }],
])('a target is refused, and what is wrong is named (%s): %o', (named, target) => {
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

test('the parameters of a target keep their order; scopes are one parameter, and what is not there is not sent', () => {
  const all = resolveTarget({
    ...{ audience: ['b', 'a'], resource: ['urn:d', 'urn:c'], scope: 'write read' },
    ...{ requestedTokenType: 'urn:x', allowOpaqueIssued: true, unchecked: ['scope'], profile: 'rfc8693' },
  });
  expect([...targetForm(all)]).toEqual([
    ['resource', 'urn:d'],
    ['resource', 'urn:c'],
    ['audience', 'b'],
    ['audience', 'a'],
    ['scope', 'read write'],
  ]);
  expect([...targetForm(resolveTarget({ scope: 'read' }))]).toEqual([['scope', 'read']]);
});

test('the form of a target is a new one each time', () => {
  const target = resolveTarget('calendar');
  targetForm(target).append('audience', 'files');
  expect([...targetForm(target)]).toEqual([['audience', 'calendar']]);
});
