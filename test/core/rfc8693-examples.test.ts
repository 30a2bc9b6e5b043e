// The examples of RFC 8693, appendix A, as they are printed there.
import { expect, test } from 'vitest';
import { readClaims, type TokenClaims } from '../../src/core/claims.ts';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import type { ExchangeParameters } from '../../src/core/exchange-parameters.ts';
import { issuedToken } from '../../src/core/issued-token.ts';
import { resolveTarget } from '../../src/core/target.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import { type SecurityToken, securityToken, TOKEN_TYPE } from '../../src/core/token-types.ts';
import { verifyIssuedToken } from '../../src/core/verify.ts';
import { failureOf } from '../support/failure.ts';
import { always } from '../support/loopback.ts';
import { startPlainSts } from '../support/sts.ts';

const joined = (...lines: readonly string[]): string => lines.join('');

/** Figures A.1.1 and A.1.3. */
const IMPERSONATED = joined(
  'eyJhbGciOiJFUzI1NiIsImtpZCI6IjE2In0.eyJhdWQiOiJodHRwc',
  'zovL2FzLmV4YW1wbGUuY29tIiwiaXNzIjoiaHR0cHM6Ly9vcmlnaW5hbC1pc3N1ZXI',
  'uZXhhbXBsZS5uZXQiLCJleHAiOjE0NDE5MTA2MDAsIm5iZiI6MTQ0MTkwOTAwMCwic',
  '3ViIjoiYmRjQGV4YW1wbGUubmV0Iiwic2NvcGUiOiJvcmRlcnMgcHJvZmlsZSBoaXN',
  '0b3J5In0.PRBg-jXn4cJuj1gmYXFiGkZzRuzbXZ_sDxdE98ddW44ufsbWLKd3JJ1VZ',
  'hF64pbTtfjy4VXFVBDaQpKjn5JzAw',
);
const IMPERSONATION = {
  access_token: joined(
    'eyJhbGciOiJFUzI1NiIsImtpZCI6IjcyIn0.eyJhdWQiOiJ1cm4',
    '6ZXhhbXBsZTpjb29wZXJhdGlvbi1jb250ZXh0IiwiaXNzIjoiaHR0cHM6Ly9hcy5l',
    'eGFtcGxlLmNvbSIsImV4cCI6MTQ0MTkxMzYxMCwic3ViIjoiYmRjQGV4YW1wbGUub',
    'mV0Iiwic2NvcGUiOiJvcmRlcnMgcHJvZmlsZSBoaXN0b3J5In0.rMdWpSGNACTvnF',
    'uOL74sYZ6MVuld2Z2WkGLmQeR9ztj6w2OXraQlkJmGjyiCq24kcB7AI2VqVxl3wSW',
    'nVKh85A',
  ),
  issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  token_type: 'Bearer',
  expires_in: 3600,
};

/** Figures A.2.1 and A.2.4. */
const DELEGATED = joined(
  'eyJhbGciOiJFUzI1NiIsImtpZCI6IjE2In0.eyJhdWQiOiJodHRwc',
  'zovL2FzLmV4YW1wbGUuY29tIiwiaXNzIjoiaHR0cHM6Ly9vcmlnaW5hbC1pc3N1ZXI',
  'uZXhhbXBsZS5uZXQiLCJleHAiOjE0NDE5MTAwNjAsInNjb3BlIjoic3RhdHVzIGZlZ',
  'WQiLCJzdWIiOiJ1c2VyQGV4YW1wbGUubmV0IiwibWF5X2FjdCI6eyJzdWIiOiJhZG1',
  'pbkBleGFtcGxlLm5ldCJ9fQ.4rPRSWihQbpMIgAmAoqaJojAxj-p2X8_fAtAGTXrvM',
  'xU-eEZHnXqY0_AOZgLdxw5DyLzua8H_I10MCcckF-Q_g',
);
const ACTOR = joined(
  'eyJhbGciOiJFUzI1NiIsImtpZCI6IjE2In0.eyJhdWQiOiJodHRwczo',
  'vL2FzLmV4YW1wbGUuY29tIiwiaXNzIjoiaHR0cHM6Ly9vcmlnaW5hbC1pc3N1ZXIuZ',
  'XhhbXBsZS5uZXQiLCJleHAiOjE0NDE5MTAwNjAsInN1YiI6ImFkbWluQGV4YW1wbGU',
  'ubmV0In0.7YQ-3zPfhUvzje5oqw8COCvN5uP6NsKik9CVV6cAOf4QKgM-tKfiOwcgZ',
  'oUuDL2tEs6tqPlcBlMjiSzEjm3yBg',
);
const DELEGATION = {
  access_token: joined(
    'eyJhbGciOiJFUzI1NiIsImtpZCI6IjcyIn0.eyJhdWQiOiJ1cm4',
    '6ZXhhbXBsZTpjb29wZXJhdGlvbi1jb250ZXh0IiwiaXNzIjoiaHR0cHM6Ly9hcy5l',
    'eGFtcGxlLmNvbSIsImV4cCI6MTQ0MTkxMzYxMCwic2NvcGUiOiJzdGF0dXMgZmVlZ',
    'CIsInN1YiI6InVzZXJAZXhhbXBsZS5uZXQiLCJhY3QiOnsic3ViIjoiYWRtaW5AZX',
    'hhbXBsZS5uZXQifX0.3paKl9UySKYB5ng6_cUtQ2qlO8Rc_y7Mea7IwEXTcYbNdwG',
    '9-G1EKCFe5fW3H0hwX-MSZ49Wpcb1SiAZaOQBtw',
  ),
  issued_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  token_type: 'N_A',
  expires_in: 3600,
};

const COOPERATION = 'urn:example:cooperation-context';
/** Before the first of the tokens has expired. */
const NOW = 1_441_910_000_000;

const jwt = (token: string): SecurityToken => securityToken(token, TOKEN_TYPE.jwt);
const claimsOf = (token: string): TokenClaims => readClaims(token) as TokenClaims;

const parametersFor = (subject: string, actor?: string): ExchangeParameters => ({
  subject: jwt(subject),
  actor: actor === undefined ? undefined : jwt(actor),
  target: resolveTarget(COOPERATION),
});

async function ask(parameters: ExchangeParameters, answer: object) {
  const sts = await startPlainSts();
  sts.handle(always(answer));
  const response = await exchangeRequest(sts.service, parameters);
  const form = Object.fromEntries(sts.received[0]?.form ?? []);
  return { service: sts.service, response, form };
}

const held = (service: TokenService, subject: string, actor?: { readonly sub: string }) => ({
  service,
  target: resolveTarget(COOPERATION),
  subject: claimsOf(subject),
  actor,
  now: NOW,
});

test('A.1: impersonation is asked for in that form, and what is issued is what was asked for', async () => {
  const parameters = parametersFor(IMPERSONATED);
  const { service, response, form } = await ask(parameters, IMPERSONATION);
  expect(form).toEqual({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience: COOPERATION,
    subject_token: IMPERSONATED,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    client_id: 'agent',
  });
  const token = await processExchangeResponse(service, response, parameters);
  expect(token).toMatchObject({ expiresInMs: 3_600_000, issuedTokenType: TOKEN_TYPE.accessToken });
  expect(token.claims).toEqual({
    iss: 'https://as.example.com',
    sub: 'bdc@example.net',
    aud: [COOPERATION],
    exp: 1_441_913_610_000,
    scope: 'orders profile history',
  });
  expect(() => verifyIssuedToken(token, held(service, IMPERSONATED))).not.toThrow();
  expect(() => verifyIssuedToken(token, held(service, IMPERSONATED, { sub: 'admin@example.net' }))).toThrow(
    '"act"',
  );
  expect(() => verifyIssuedToken(token, held(service, DELEGATED))).toThrow('"sub"');
});

test('A.2.1: delegation is asked for with both tokens and their types', async () => {
  const { form } = await ask(parametersFor(DELEGATED, ACTOR), DELEGATION);
  expect(form).toEqual({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience: COOPERATION,
    subject_token: DELEGATED,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    actor_token: ACTOR,
    actor_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    client_id: 'agent',
  });
});

test('A.2.2 and A.2.3: the subject token says who may act, and the actor is the one', () => {
  const { mayAct, sub, scope } = claimsOf(DELEGATED);
  expect([sub, scope, mayAct]).toEqual([
    'user@example.net',
    'status feed',
    { sub: 'admin@example.net', iss: undefined },
  ]);
  expect(claimsOf(ACTOR).sub).toBe(mayAct?.sub);
});

test('A.2.4: a token of the type "N_A" is no access token, so it is not taken as one', async () => {
  const parameters = parametersFor(DELEGATED, ACTOR);
  const { service, response } = await ask(parameters, DELEGATION);
  const error = await failureOf(processExchangeResponse(service, response, parameters));
  expect(error).toMatchObject({ code: 'sts_invalid_response', failure: 'misconfigured' });
});

test('A.2.5: a delegated token is what was asked for, and for that subject and that actor only', async () => {
  const { service } = await startPlainSts();
  const token = issuedToken(DELEGATION.access_token, {
    issuedTokenType: DELEGATION.issued_token_type,
    expiresInMs: 3_600_000,
    scope: undefined,
  });
  const actor = { sub: claimsOf(ACTOR).sub as string };
  expect(() => verifyIssuedToken(token, held(service, DELEGATED, actor))).not.toThrow();
  expect(() => verifyIssuedToken(token, held(service, DELEGATED, { sub: 'mallory@example.net' }))).toThrow(
    '"act"',
  );
  expect(() => verifyIssuedToken(token, held(service, IMPERSONATED, actor))).toThrow('"sub"');
});
