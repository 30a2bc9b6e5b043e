import { expect, test } from 'vitest';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { readClaims, type TokenClaims } from '../../src/core/claims.ts';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import { type IssuedToken, issuedToken } from '../../src/core/issued-token.ts';
import { resolveTarget, type Target } from '../../src/core/target.ts';
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
  allowOpaque = false,
): Promise<[IssuedToken, Expectation]> {
  const sts = await startSts();
  const service = serviceOf(sts);
  const subject = securityToken(await sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId }));
  const actor = (await clientCredentialsActor(service)({})) as SecurityToken;
  const target = resolveTarget({ audience: 'calendar', scope: 'read' });
  const parameters = { subject, actor, target };
  if (fault !== undefined) sts.inject(fault);
  const response = await exchangeRequest(service, parameters);
  const token = await processExchangeResponse(service, response, parameters);
  const parties = { subject: claimsOf(subject), actor: { sub: claimsOf(actor).sub } };
  return [token, { target, ...parties, now: Date.now(), allowOpaque }];
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
const GOOD = { sub: 'alice', aud: 'calendar', exp: NOW / 1000 + 60, act: { sub: 'agent' }, scope: 'read' };

interface Case {
  readonly claims?: object | undefined;
  readonly target?: Target;
  readonly facts?: Partial<Pick<IssuedToken, 'issuedTokenType' | 'scope'>>;
  readonly more?: Partial<Expectation>;
}

function check({ claims = {}, target = { audience: 'calendar' }, facts, more }: Case): () => void {
  const token = fakeJwt({ ...GOOD, ...claims });
  const issued = issuedToken(token, {
    issuedTokenType: TOKEN_TYPE.accessToken,
    expiresInMs: 60_000,
    scope: undefined,
    claims: readClaims(token),
    ...facts,
  });
  return () =>
    verifyIssuedToken(issued, {
      target: resolveTarget(target),
      subject: { sub: 'alice', aud: [] },
      actor: { sub: 'agent' },
      now: NOW,
      allowOpaque: false,
      ...more,
    });
}

const BILLING = 'https://mcp.example.com/billing';

test.each<[string, Case]>([
  ['more audiences besides', { claims: { aud: ['account', 'calendar'] } }],
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
    'a wider scope behind a tab',
    { target: { audience: 'calendar', scope: 'read' }, claims: { scope: 'read\tadmin' } },
    'scope',
  ],
  ['an expiry that is now', { claims: { exp: NOW / 1000 } }, 'expired'],
  ['an expiry in the past', { claims: { exp: 1 } }, 'expired'],
  ['an expiry that is no number', { claims: { exp: '4000000000' } }, 'exp'],
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
  const opaque = (facts: Partial<IssuedToken>, allowOpaque: boolean) => () =>
    verifyIssuedToken(
      issuedToken('opaque', {
        issuedTokenType: TOKEN_TYPE.accessToken,
        expiresInMs: undefined,
        scope: undefined,
        claims: undefined,
        ...facts,
      }),
      {
        target: resolveTarget({ audience: 'calendar', scope: 'read' }),
        subject: { sub: 'alice', aud: [] },
        actor: undefined,
        now: NOW,
        allowOpaque,
      },
    );
  expect((await failureOf(opaque({}, false))).message).toContain('allowOpaqueIssued');
  expect(opaque({}, true)).not.toThrow();
  expect(opaque({ scope: 'read admin' }, true)).toThrow('scope');
  expect(opaque({ issuedTokenType: TOKEN_TYPE.idToken }, true)).toThrow('issued_token_type');
});
