import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TargetFields, TokenExchangeSpec } from '../../../src/kubernetes/api/target.ts';
import { hasTarget, resolveTarget, soleAudience } from '../../../src/kubernetes/compile/target.ts';
import { agentWith, BASE, compiled, mcp, server, service } from './objects.ts';

const target = (reference: object, ofServer: object): unknown => {
  const done = compiled(agentWith([mcp('mail', reference)]), [
    ...BASE,
    service('other'),
    server('mail', { ...ofServer }),
  ]);
  return done.targets[0];
};

test('S8 the stsAudience of a server is the audience of every agent that names none', () => {
  expect(target({}, { stsAudience: 'mail' })).toEqual({
    server: 'demo/mail',
    tokenService: 'demo/default',
    audiences: ['mail'],
    from: { tokenService: 'default', audiences: 'server' },
  });
});

test('S9 the stsAudience of a tool reference wins over that of its server', () => {
  expect(target({ stsAudience: 'mine' }, { stsAudience: 'mail' })).toMatchObject({
    audiences: ['mine'],
    from: { audiences: 'tool' },
  });
});

test('S9 where neither the tool reference nor the server says anything, there is no delegated token', () => {
  expect(target({}, {})).toEqual({ server: 'demo/mail' });
});

test.each([
  ['both short', { stsAudience: 'mine' }, { stsAudience: 'mail' }],
  ['the tool long', { tokenExchange: { audiences: ['mine'] } }, { stsAudience: 'mail' }],
  ['the server long', { stsAudience: 'mine' }, { tokenExchange: { audiences: ['mail', 'post'] } }],
])('S9 stsAudience is short for one audience: %s', (_, reference, ofServer) => {
  expect(target(reference, ofServer)).toMatchObject({ audiences: ['mine'], from: { audiences: 'tool' } });
});

test('S9 a tool reference that says scopes only keeps all else of its server', () => {
  const all = {
    audiences: ['mail'],
    resources: ['https://mail.example.com/'],
    scopes: ['mail:all'],
    requestedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
    profile: 'rfc8693',
    tokenServiceRef: { name: 'other' },
  };
  expect(target({ tokenExchange: { scopes: ['mail:read'] } }, { tokenExchange: all })).toEqual({
    server: 'demo/mail',
    tokenService: 'demo/other',
    audiences: ['mail'],
    resources: ['https://mail.example.com/'],
    scopes: ['mail:read'],
    requestedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
    profile: 'rfc8693',
    from: {
      tokenService: 'server',
      audiences: 'server',
      resources: 'server',
      scopes: 'tool',
      requestedTokenType: 'server',
      profile: 'server',
    },
  });
});

test('S9 an audience of the tool does not hide the resource of the server', () => {
  const resources = ['https://mail.example.com/'];
  expect(target({ stsAudience: 'mine' }, { tokenExchange: { resources } })).toMatchObject({
    audiences: ['mine'],
    resources,
    from: { audiences: 'tool', resources: 'server' },
  });
});

const text = fc.constantFrom('a', 'b', 'c');
const texts = fc.array(text, { minLength: 1, maxLength: 2 });
const optional = { requiredKeys: [] };
const exchange: fc.Arbitrary<TokenExchangeSpec> = fc.record(
  {
    audiences: texts,
    resources: texts,
    scopes: texts,
    requestedTokenType: text,
    profile: fc.constantFrom('rfc8693', 'entra-obo', 'id-jag'),
    tokenServiceRef: fc.record({ name: text }),
  },
  optional,
);
const fields: fc.Arbitrary<TargetFields> = fc.oneof(
  fc.constant({}),
  fc.record({ stsAudience: text }),
  fc.record({ tokenExchange: exchange }),
);

/** Written from the words alone: "field by field: tool reference, then server, then none". */
function naive(tool: TargetFields, ofServer: TargetFields): Map<string, [unknown, string]> {
  const result = new Map<string, [unknown, string]>();
  for (const [who, said] of [
    ['server', ofServer],
    ['tool', tool],
  ] as const) {
    if (said.stsAudience !== undefined) result.set('audiences', [[said.stsAudience], who]);
    for (const [field, value] of Object.entries(said.tokenExchange ?? {})) result.set(field, [value, who]);
  }
  return result;
}

test('S9 for any two levels, each field is as the naive reading of the rule has it', () => {
  fc.assert(
    fc.property(fields, fields, (tool, ofServer) => {
      const expected = naive(tool, ofServer);
      const resolved = resolveTarget([
        { from: 'tool', fields: tool },
        { from: 'server', fields: ofServer },
      ]);
      expect(resolved.exchange).toEqual(Object.fromEntries([...expected].map(([f, [value]]) => [f, value])));
      expect(resolved.from).toEqual(Object.fromEntries([...expected].map(([f, [, who]]) => [f, who])));
    }),
  );
});

test.each([
  [{ audiences: ['a'] }, true],
  [{ resources: ['a:b'] }, true],
  [{ scopes: ['a'] }, true],
  [{ profile: 'rfc8693', requestedTokenType: 'a' } as const, false],
  [{}, false],
])('of %j a token is for something: %s', (given, expected) => {
  expect(hasTarget(given)).toBe(expected);
});

test.each([
  [{ stsAudience: 'a' }, 'a'],
  [{ tokenExchange: { audiences: ['a'] } }, 'a'],
  [{ tokenExchange: { audiences: ['a', 'b'] } }, undefined],
  [{ tokenExchange: { scopes: ['a'] } }, undefined],
  [{}, undefined],
])('the one audience of %j is %s', (given, expected) => {
  expect(soleAudience(given)).toBe(expected);
});
