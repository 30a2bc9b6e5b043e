import { describe, expect, test } from 'vitest';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { readClaims, type TokenClaims } from '../../src/core/claims.ts';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import { type IssuedToken, issuedToken } from '../../src/core/issued-token.ts';
import { type Check, resolveTarget, type Target } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import { type SecurityToken, securityToken, TOKEN_TYPE } from '../../src/core/token-types.ts';
import { type Expectation, verifyIssuedToken } from '../../src/core/verify.ts';
import type { Fault } from '../../src/sts/index.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { AGENT, serviceOf, startSts } from '../support/sts.ts';

const claimsOf = ({ token }: SecurityToken): TokenClaims => readClaims(token) as TokenClaims;

/** A delegated exchange at a real authorization server that tells this lie, and what it is held against. */
async function exchangeWith(
  fault: Fault | undefined,
  allowOpaqueIssued = false,
): Promise<[IssuedToken, Expectation]> {
  const sts = await startSts();
  const service = serviceOf(sts);
  const subject = securityToken(await sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId }));
  const actor = (await clientCredentialsActor(service)({})) as SecurityToken;
  const target = resolveTarget({ audience: 'calendar', scope: 'read', allowOpaqueIssued });
  const parameters = { subject, actor, target };
  if (fault !== undefined) sts.inject(fault);
  const response = await exchangeRequest(service, parameters);
  const token = await processExchangeResponse(service, response, parameters);
  const parties = { subject: claimsOf(subject), actor: { sub: claimsOf(actor).sub } };
  return [token, { service, target, ...parties, now: Date.now() }];
}

test('what an honest authorization server issues is accepted', async () => {
  const [token, expectation] = await exchangeWith(undefined);
  expect(() => verifyIssuedToken(token, expectation)).not.toThrow();
  expect(token.claims).toMatchObject({ sub: 'alice', aud: ['calendar'], act: 'agent', scope: 'read' });
});

test.each<[Fault, string]>([
  [{ kind: 'wrong-audience' }, '"aud"'],
  [{ kind: 'wrong-audience', value: 'files' }, '"aud"'],
  [{ kind: 'other-subject' }, '"sub"'],
  [{ kind: 'other-subject', value: 'bob' }, '"sub"'],
  [{ kind: 'wider-scope' }, 'scope'],
  [{ kind: 'no-act' }, '"act"'],
  [{ kind: 'opaque' }, 'not a JWT'],
])('the lie %j of a real authorization server is found out', async (fault, named) => {
  const [token, expectation] = await exchangeWith(fault);
  const error = await failureOf(() => verifyIssuedToken(token, expectation));
  expect(error).toMatchObject({ code: 'issued_token_rejected', failure: 'misconfigured', retryable: false });
  expect(error.message).toContain(named);
  expectNoLeak(error, [token.accessToken]);
});

test('an opaque token of a real authorization server is taken where that was allowed, a lie still not', async () => {
  const [opaque, expectation] = await exchangeWith({ kind: 'opaque' }, true);
  expect(() => verifyIssuedToken(opaque, expectation)).not.toThrow();
  const [lie, other] = await exchangeWith({ kind: 'other-subject' }, true);
  expect((await failureOf(() => verifyIssuedToken(lie, other))).code).toBe('issued_token_rejected');
});

const NOW = 1_800_000_000_000;
const STS = createTokenService({ tokenEndpoint: 'https://sts.example.com/token', clientId: 'agent' });
const BILLING = 'https://mcp.example.com/billing';
const GOOD = { sub: 'alice', aud: 'calendar', exp: NOW / 1000 + 60, act: { sub: 'agent' }, scope: 'read' };

interface Case {
  readonly claims?: object | undefined;
  readonly target?: Target;
  readonly facts?: Partial<Pick<IssuedToken, 'issuedTokenType' | 'scope'>>;
  readonly token?: string;
  readonly more?: Partial<Expectation>;
}

function check({ claims = {}, target = { audience: 'calendar' }, facts, more, ...given }: Case): () => void {
  const { token = fakeJwt({ ...GOOD, ...claims }) } = given;
  const issued = issuedToken(token, {
    issuedTokenType: TOKEN_TYPE.accessToken,
    expiresInMs: 60_000,
    scope: undefined,
    ...facts,
  });
  return () =>
    verifyIssuedToken(issued, {
      service: STS,
      target: resolveTarget(target),
      subject: { sub: 'alice', aud: [] },
      actor: { sub: 'agent' },
      now: NOW,
      ...more,
    });
}

test.each<[string, Case]>([
  [
    'more audiences besides, where that was allowed',
    {
      target: { audience: 'calendar', unchecked: ['other_audiences'] },
      claims: { aud: ['account', 'calendar'] },
    },
  ],
  [
    'both an audience and a resource that were asked for',
    { target: { audience: 'calendar', resource: BILLING }, claims: { aud: ['calendar', BILLING] } },
  ],
  [
    'every audience that was asked for',
    { target: { audience: ['calendar', 'files'] }, claims: { aud: ['files', 'calendar'] } },
  ],
  ['the resource that was asked for', { target: { resource: BILLING }, claims: { aud: BILLING } }],
  ['an audience that stands for the resource', { target: { audience: 'calendar', resource: BILLING } }],
  [
    'any audience, when only a scope was asked for',
    { target: { scope: 'read' }, claims: { aud: 'whatever' } },
  ],
  ['less scope', { target: { audience: 'calendar', scope: 'read write' } }],
  ['a scope that is no text, when none was asked for', { claims: { scope: 5 } }],
  [
    'an audience that is no text, where that means something else',
    { target: { audience: 'calendar', unchecked: ['audience'] }, claims: { aud: 5 } },
  ],
  [
    'a scope that is no text, where that means something else',
    { target: { audience: 'calendar', scope: 'read', unchecked: ['scope'] }, claims: { scope: 5 } },
  ],
  ['no scope', { target: { audience: 'calendar', scope: 'read' }, claims: { scope: undefined } }],
  ['a scope of its own, when none was asked for', { claims: { scope: 'default' } }],
  ['an act, though no actor was sent', { more: { actor: undefined } }],
  ['no act, when no actor was sent', { claims: { act: undefined }, more: { actor: undefined } }],
  ['some act, for an actor nobody can name', { claims: { act: { sub: 'someone' } }, more: { actor: {} } }],
  ['any sub, for an opaque subject', { claims: { sub: 'whoever' }, more: { subject: { aud: [] } } }],
  ['no expiry of its own', { claims: { exp: undefined } }],
  ['the JWT type, unasked', { facts: { issuedTokenType: TOKEN_TYPE.jwt } }],
  [
    'the type that was asked for',
    { target: { audience: 'calendar', requestedTokenType: 'urn:x' }, facts: { issuedTokenType: 'urn:x' } },
  ],
])('a token with %s is accepted', (_what, given) => {
  expect(check(given)).not.toThrow();
});

test.each<[string, Case, string]>([
  ['another audience', { claims: { aud: 'files' } }, '"aud"'],
  ['no audience', { claims: { aud: undefined } }, '"aud"'],
  ['an empty list of audiences', { claims: { aud: [] } }, '"aud"'],
  ['an audience that only begins like it', { claims: { aud: 'calendar-admin' } }, '"aud"'],
  ['an audience in another case', { claims: { aud: 'Calendar' } }, '"aud"'],
  ['one of two audiences missing', { target: { audience: ['calendar', 'files'] } }, '"aud"'],
  ['an audience that was not asked for', { claims: { aud: ['calendar', 'files'] } }, 'not asked for'],
  [
    'an audience that was not asked for beside its resource',
    { target: { resource: BILLING }, claims: { aud: [BILLING, 'files'] } },
    'not asked for',
  ],
  ['another resource', { target: { resource: BILLING }, claims: { aud: `${BILLING}/` } }, '"aud"'],
  [
    'one of two resources missing',
    { target: { resource: [BILLING, 'urn:x'] }, claims: { aud: BILLING } },
    '"aud"',
  ],
  [
    'the resource but not the audience',
    { target: { audience: 'calendar', resource: BILLING }, claims: { aud: BILLING } },
    '"aud"',
  ],
  ['another subject', { claims: { sub: 'bob' } }, '"sub"'],
  ['no subject', { claims: { sub: undefined } }, '"sub"'],
  ['a subject in another case', { claims: { sub: 'Alice' } }, '"sub"'],
  ['no act', { claims: { act: undefined } }, '"act"'],
  ['another actor', { claims: { act: { sub: 'mallory' } } }, '"act"'],
  ['the actor only behind another', { claims: { act: { sub: 'mallory', act: { sub: 'agent' } } } }, '"act"'],
  ['no act, for an actor nobody can name', { claims: { act: undefined }, more: { actor: {} } }, '"act"'],
  [
    'a wider scope in the token',
    { target: { audience: 'calendar', scope: 'read' }, claims: { scope: 'read admin' } },
    'scope',
  ],
  [
    'a wider scope in a list',
    { target: { audience: 'calendar', scope: 'read' }, claims: { scope: undefined, scp: ['read', 'admin'] } },
    'scope',
  ],
  [
    'a wider scope in the answer',
    { target: { audience: 'calendar', scope: 'read' }, facts: { scope: 'read admin' } },
    'scope',
  ],
  [
    'a wider scope in the other claim for it',
    { target: { audience: 'calendar', scope: 'read' }, claims: { scope: 'read', scp: 'admin' } },
    'scope',
  ],
  [
    'a scope that is no text',
    { target: { audience: 'calendar', scope: 'read' }, claims: { scope: { read: true } } },
    '"scope"',
  ],
  ['an audience beside it that is no text', { claims: { aud: ['calendar', 5] } }, '"aud"'],
  ['an audience beside it that is a list', { claims: { aud: ['calendar', ['files']] } }, '"aud"'],
  [
    'an audience that is no text, for a scope alone',
    { target: { scope: 'read' }, claims: { aud: [5] } },
    '"aud"',
  ],
  [
    'a wider scope behind a tab',
    { target: { audience: 'calendar', scope: 'read' }, claims: { scope: 'read\tadmin' } },
    'scope',
  ],
  ['an expiry that is now', { claims: { exp: NOW / 1000 } }, 'expired'],
  ['an expiry in the past', { claims: { exp: 1 } }, 'expired'],
  ['an expiry that is no number', { claims: { exp: '4000000000' } }, 'expired'],
  ['an expiry that is null', { claims: { exp: null } }, 'expired'],
  [
    'the type of a refresh token',
    { facts: { issuedTokenType: 'urn:ietf:params:oauth:token-type:refresh_token' } },
    'issued_token_type',
  ],
  ['the type of an ID token', { facts: { issuedTokenType: TOKEN_TYPE.idToken } }, 'issued_token_type'],
  [
    'another type than was asked for',
    { target: { audience: 'calendar', requestedTokenType: TOKEN_TYPE.jwt } },
    'issued_token_type',
  ],
])('a token with %s is refused', async (_what, given, named) => {
  const error = await failureOf(check(given));
  expect(error).toMatchObject({ code: 'issued_token_rejected', failure: 'misconfigured' });
  expect(error.message).toContain(named);
});

test('an opaque token is refused with a hint, and taken when that was allowed, as far as it can be checked', async () => {
  const opaque = (facts: Partial<IssuedToken>, allowOpaqueIssued: boolean) => () =>
    verifyIssuedToken(
      issuedToken('opaque', {
        issuedTokenType: TOKEN_TYPE.accessToken,
        expiresInMs: undefined,
        scope: undefined,
        ...facts,
      }),
      {
        service: STS,
        target: resolveTarget({ audience: 'calendar', scope: 'read', allowOpaqueIssued }),
        subject: { sub: 'alice', aud: [] },
        actor: undefined,
        now: NOW,
      },
    );
  expect((await failureOf(opaque({}, false))).message).toContain('allowOpaqueIssued');
  expect(opaque({}, true)).not.toThrow();
  expect(opaque({ scope: 'read admin' }, true)).toThrow('scope');
  expect(opaque({ issuedTokenType: TOKEN_TYPE.idToken }, true)).toThrow('issued_token_type');
});

test.each([
  ['is not signed', (token: string) => token.replace(/\.[^.]*$/, '.')],
  ['is cut', (token: string) => token.replace(/.{3}\./, '.')],
  ['is padded', (token: string) => `${token}=`],
])('a JWT that %s is refused, also where opaque tokens are taken', (_what, damage) => {
  const token = damage(fakeJwt(GOOD));
  const target = { audience: 'calendar', allowOpaqueIssued: true };
  expect(check({ token, target })).toThrow('damaged or not signed');
});

test('an actor of another issuer is another actor', () => {
  const actor = { sub: 'agent', iss: 'https://idp.example.com' };
  const act = (iss?: string) => check({ claims: { act: { sub: 'agent', iss } }, more: { actor } });
  expect(act()).not.toThrow();
  expect(act(actor.iss)).not.toThrow();
  expect(act('https://other.example.com')).toThrow('"act"');
});

/** What each check finds, beside a token that is good otherwise. */
const BREACHES: Readonly<Record<Check, object>> = {
  audience: { aud: 'files' },
  other_audiences: { aud: ['calendar', 'files'] },
  subject: { sub: 'bob' },
  scope: { scope: 'read admin' },
  actor: { act: { sub: 'mallory' } },
};
const CHECKS = Object.keys(BREACHES) as Check[];

/** An STS of whose tokens these checks are left out. */
const lax = (...unchecked: Check[]): TokenService =>
  createTokenService({
    ...{ tokenEndpoint: 'https://sts.example.com/token', clientId: 'agent' },
    dialect: { name: 'lax', unchecked },
  });

describe('a check that is left out', () => {
  const asked = { audience: 'calendar', scope: 'read' };
  const pairs = CHECKS.flatMap((left) => CHECKS.map((broken) => [left, broken] as const));

  test.each(pairs)('(%s) is left out alone: a breach of %s', (left, broken) => {
    const claims = BREACHES[broken];
    // Where nobody knows what "aud" means, an audience too many means nothing either.
    const taken = left === broken || (left === 'audience' && broken === 'other_audiences');
    const byTarget = check({ claims, target: { ...asked, unchecked: [left] } });
    const byDialect = check({ claims, target: asked, more: { service: lax(left) } });
    for (const verify of [byTarget, byDialect]) {
      if (taken) expect(verify).not.toThrow();
      else expect(verify).toThrow('was refused');
    }
  });

  test.each(CHECKS)('(%s) is made, when nothing was said', (broken) => {
    expect(check({ claims: BREACHES[broken], target: asked })).toThrow('was refused');
  });

  test('by the target and one by the dialect are both left out, and no more', () => {
    const more = { service: lax('subject') };
    const target: Target = { ...asked, unchecked: ['scope'] };
    const claims = { ...BREACHES.scope, ...BREACHES.subject };
    expect(check({ claims, target, more })).not.toThrow();
    expect(check({ claims: { ...claims, ...BREACHES.audience }, target, more })).toThrow('"aud"');
  });

  test('for the scope is left out for the scope of the answer, too', () => {
    const facts = { scope: 'read admin' };
    expect(check({ facts, target: { ...asked, unchecked: ['scope'] } })).not.toThrow();
    expect(check({ facts, target: asked })).toThrow('scope');
  });

  test('for the actor lets a token without "act" pass', () => {
    const claims = { act: undefined };
    expect(check({ claims, target: { ...asked, unchecked: ['actor'] } })).not.toThrow();
  });

  test('never is the time, the type or the form, though every other is', () => {
    const all = { target: { ...asked, unchecked: CHECKS } };
    expect(check({ ...all, claims: { aud: 'x', sub: 'x', scope: 'x', act: undefined } })).not.toThrow();
    expect(check({ ...all, claims: { exp: 1 } })).toThrow('expired');
    expect(check({ ...all, facts: { issuedTokenType: TOKEN_TYPE.idToken } })).toThrow('issued_token_type');
    expect(check({ ...all, token: 'opaque' })).toThrow('not a JWT');
  });

  test('of a dialect is made where the target is got in another way than the dialect’s own', () => {
    const claims = { ...BREACHES.subject, act: undefined };
    const target: Target = { ...asked, profile: 'entra-obo' };
    expect(check({ claims, target, more: { service: lax('subject'), actor: undefined } })).toThrow('"sub"');
  });
});

describe('scopes that a provider adds to every token', () => {
  const service = createTokenService({
    ...{ tokenEndpoint: 'https://sts.example.com/token', clientId: 'agent' },
    dialect: { name: 'adding', addedScopes: ['profile'] },
  });
  const target = { audience: 'calendar', scope: 'read' };

  test('do not make its scope wider, others do', () => {
    expect(check({ claims: { scope: 'profile read' }, target, more: { service } })).not.toThrow();
    expect(check({ claims: { scope: 'profile admin' }, target, more: { service } })).toThrow('scope');
    expect(check({ claims: { scope: 'profile read' }, target })).toThrow('scope');
  });
});

describe('the profile entra-obo', () => {
  const API = 'api://00aa00aa-bb11-cc22-dd33-44ee44ee44ee';
  const user = { sub: 'alice-at-the-agent', oid: 'alice-oid', aud: [] };
  const issued = { sub: 'alice-at-the-api', oid: 'alice-oid', aud: 'calendar', act: undefined };
  const verify = (claims: object, scope = `${API}/read`, subject: TokenClaims = user) =>
    check({
      claims: { ...issued, scope: undefined, scp: 'read', ...claims },
      target: { audience: 'calendar', scope, profile: 'entra-obo' },
      more: { subject, actor: undefined },
    });

  test('compares the user by "oid", for "sub" is another at each application', () => {
    expect(verify({})).not.toThrow();
    expect(verify({ oid: 'bob-oid' })).toThrow('"oid"');
    expect(verify({ oid: undefined })).toThrow('"oid"');
    expect(verify({ oid: 'ALICE-OID' })).toThrow('"oid"');
    // The same "sub" is no excuse.
    expect(verify({ oid: 'bob-oid', sub: user.sub })).toThrow('"oid"');
  });

  test('compares by "sub" a user whose token has no "oid"', () => {
    const subject = { sub: 'alice', aud: [] };
    expect(verify({ sub: 'alice' }, undefined, subject)).not.toThrow();
    expect(verify({}, undefined, subject)).toThrow('"sub"');
  });

  test.each<[string, string, boolean]>([
    [`${API}/read`, 'read', true],
    [`${API}/read`, `${API}/read`, true],
    [`${API}/read ${API}/write`, 'read', true],
    [`${API}/read ${API}/write`, 'write read', true],
    [`${API}/read openid`, 'openid read', true],
    [`${API}/read`, 'read write', false],
    [`${API}/read`, 'api://another/read', false],
    [`${API}/.default`, 'read write admin', true],
    [`${API}/.default-not`, 'read', false],
  ])('asked for %s, the scope %s is no wider: %s', (asked, granted, taken) => {
    if (taken) expect(verify({ scp: granted }, asked)).not.toThrow();
    else expect(verify({ scp: granted }, asked)).toThrow('scope');
  });

  test('holds the token against the audience that was named, and no other', () => {
    expect(verify({ aud: 'files' })).toThrow('"aud"');
    expect(verify({ aud: ['calendar', 'files'] })).toThrow('not asked for');
  });

  test('is that of a token service whose dialect says so, for targets that name none', () => {
    const service = createTokenService({
      ...{ tokenEndpoint: 'https://sts.example.com/token', clientId: 'agent' },
      dialect: { name: 'own', profile: 'entra-obo' },
    });
    const target = { audience: 'calendar', scope: `${API}/.default` };
    const more = { service, subject: user, actor: undefined };
    const claims = { ...issued, scope: undefined };
    expect(check({ claims, target, more })).not.toThrow();
    expect(check({ claims, target: { ...target, profile: 'rfc8693' }, more })).toThrow('"sub"');
  });
});

describe('the profile id-jag', () => {
  const AS = 'https://as.example.com';
  const verify = (claims: object, target: Partial<Target> = {}) =>
    check({
      claims: { sub: 'alice-as-they-call-her', aud: BILLING, act: undefined, ...claims },
      target: { resource: BILLING, scope: 'read', profile: 'id-jag', authorizationServer: STS, ...target },
    });

  test('wants the resource as audience; the user may be called otherwise there, and no "act" is made', () => {
    expect(verify({})).not.toThrow();
    expect(verify({ aud: 'https://mcp.example.com/files' })).toThrow('"aud"');
    expect(verify({ aud: [BILLING, 'https://mcp.example.com/files'] })).toThrow('not asked for');
  });

  test('wants the resource, though an audience was named: that is the ID-JAG’s', () => {
    expect(verify({}, { audience: AS })).not.toThrow();
    expect(verify({ aud: AS }, { audience: AS })).toThrow('"aud"');
  });

  test('checks scope and time as ever', () => {
    expect(verify({ scope: 'read admin' })).toThrow('scope');
    expect(verify({ exp: 1 })).toThrow('expired');
  });
});

describe('an ID-JAG', () => {
  const target = {
    audience: 'https://as.example.com',
    resource: BILLING,
    requestedTokenType: TOKEN_TYPE.idJag,
  };
  const verify = (typ: string | undefined, claims: object = {}) => {
    const [, payload, signature] = fakeJwt({ ...GOOD, aud: target.audience, ...claims }).split('.');
    const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ })).toString('base64url');
    const token = `${header}.${payload}.${signature}`;
    const facts = { issuedTokenType: TOKEN_TYPE.idJag, expiresInMs: 1, scope: undefined };
    const held = { service: STS, target: resolveTarget(target), now: NOW, actor: undefined };
    return () =>
      verifyIssuedToken(issuedToken(token, facts), {
        ...held,
        subject: { sub: 'alice', aud: [] },
      });
  };

  test('says that it is one, is for the authorization server, and for this user', () => {
    expect(verify('oauth-id-jag+jwt')).not.toThrow();
    expect(verify('application/OAuth-ID-JAG+jwt')).not.toThrow();
    expect(verify('oauth-id-jag+jwt', { aud: BILLING })).toThrow('"aud"');
    expect(verify('oauth-id-jag+jwt', { sub: 'bob' })).toThrow('"sub"');
  });

  test.each([undefined, 'JWT', 'at+jwt', 'id-jag'])('is not one with the "typ" %s', (typ) => {
    expect(verify(typ)).toThrow('ID-JAG');
  });
});
