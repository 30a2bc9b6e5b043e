import { expect, test } from 'vitest';
import { agentWith, BASE, brief, compiled, type Given, model, problemsOf, service } from './objects.ts';

const of = (spec: object, objects: readonly Given[] = BASE): unknown =>
  compiled(agentWith([], { ...spec }), objects).config.authentication;
const ISSUER = 'https://sts.example.com/default';

test('callers are known by tokens of the Agent’s STS for the Agent', () => {
  expect(of({})).toEqual({ mode: 'jwt', audience: 'demo/assistant', issuers: [{ issuer: ISSUER }] });
});

test.each([
  ['stsAudience', { stsAudience: 'assistant' }, 'assistant'],
  ['the one of tokenExchange', { tokenExchange: { audiences: ['assistant'] } }, 'assistant'],
  ['none of several', { tokenExchange: { audiences: ['a', 'b'] } }, 'demo/assistant'],
  [
    'authentication.audience before stsAudience',
    { stsAudience: 'a', authentication: { audience: 'b' } },
    'b',
  ],
])('the audience of callers’ tokens is %s', (_, spec, audience) => {
  expect(of(spec)).toMatchObject({ audience });
});

test('issuers that are given are the only ones', () => {
  const issuers = [
    { issuer: 'https://idp.example.com', jwksURL: 'https://idp.example.com/keys' },
    { issuer: 'https://other.example.com' },
  ];
  expect(of({ authentication: { issuers } }, [model()])).toMatchObject({
    issuers: [
      { issuer: 'https://idp.example.com', jwks_url: 'https://idp.example.com/keys' },
      { issuer: 'https://other.example.com' },
    ],
  });
});

test('the issuer is that of the TokenService that the Agent names', () => {
  const objects = [...BASE, service('security/sts')];
  expect(of({ tokenServiceRef: { name: 'sts', namespace: 'security' } }, objects)).toMatchObject({
    issuers: [{ issuer: 'https://sts.example.com/security/sts' }],
  });
});

test('the mode Anonymous needs neither audience nor TokenService', () => {
  expect(of({ authentication: { mode: 'Anonymous' } }, [model()])).toEqual({ mode: 'anonymous' });
});

test('the mode TrustedProxy needs no TokenService; its tokens are for this agent all the same', () => {
  const mode = 'TrustedProxy';
  expect(of({ authentication: { mode } }, [model()])).toEqual({
    mode: 'trusted_proxy',
    audience: 'demo/assistant',
  });
  expect(of({ authentication: { mode, audience: 'mine' } }, [model()])).toMatchObject({ audience: 'mine' });
});

test('without a TokenService and issuers, the problem says both ways out', () => {
  const problems = problemsOf(agentWith([]), [model()]);
  expect(brief(problems)).toEqual(['NoTokenService Agent demo/assistant spec.authentication.issuers']);
  expect(problems[0]?.message).toContain('set spec.authentication.mode');
});

test('a TokenService that does not say its issuer is no issuer', () => {
  const sts = service('default', {
    issuer: undefined,
    tokenEndpoint: 'https://sts.example.com/token',
    actor: { source: 'None' },
  });
  const problems = problemsOf(agentWith([]), [model(), sts]);
  expect(brief(problems)).toEqual(['NoTokenService Agent demo/assistant spec.authentication.issuers']);
  expect(problems[0]?.message).toContain('TokenService demo/default does not say its issuer');
});
