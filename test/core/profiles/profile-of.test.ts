import { expect, test } from 'vitest';
import type { Dialect } from '../../../src/core/dialect.ts';
import { entraObo } from '../../../src/core/profiles/entra-obo.ts';
import { idJag } from '../../../src/core/profiles/id-jag.ts';
import {
  impliedTokenTypeOf,
  profileNameOf,
  profileOf,
  requestDialectOf,
  requestedTokenTypeOf,
} from '../../../src/core/profiles/profile-of.ts';
import { rfc8693 } from '../../../src/core/profiles/rfc8693.ts';
import { type ProfileName, resolveTarget } from '../../../src/core/target.ts';
import { createTokenService } from '../../../src/core/token-service.ts';
import type { TokenService } from '../../../src/core/token-service-handle.ts';
import { TOKEN_TYPE } from '../../../src/core/token-types.ts';

const serviceOf = (dialect?: Dialect): TokenService =>
  createTokenService({ tokenEndpoint: 'https://sts.example.com/token', clientId: 'agent', dialect });

const PLAIN = serviceOf();
const EXCHANGE = serviceOf({ name: 'own' });
const ENTRA = serviceOf({ name: 'own', profile: 'entra-obo' });

const targetOf = (profile?: ProfileName, requestedTokenType?: string) =>
  resolveTarget({
    ...{ resource: 'https://mcp.example.com', profile, requestedTokenType },
    authorizationServer: profile === 'id-jag' ? PLAIN : undefined,
  });

test.each<[string, ProfileName, TokenService, ProfileName | undefined]>([
  ['no dialect', 'rfc8693', PLAIN, undefined],
  ['a dialect that names none', 'rfc8693', EXCHANGE, undefined],
  ['a dialect that names one', 'entra-obo', ENTRA, undefined],
  ['a target that names one', 'id-jag', PLAIN, 'id-jag'],
  ['both, so the target decides', 'rfc8693', ENTRA, 'rfc8693'],
])('with %s the profile is %s', (_what, expected, service, named) => {
  const target = targetOf(named);
  expect(profileNameOf(service, target)).toBe(expected);
  expect(profileOf(service, target)).toBe({ rfc8693, 'entra-obo': entraObo, 'id-jag': idJag }[expected]);
});

test.each<[string, boolean, TokenService, ProfileName | undefined]>([
  ['its own way', true, EXCHANGE, undefined],
  ['its own way, which the target names', true, EXCHANGE, 'rfc8693'],
  ['another way', false, EXCHANGE, 'entra-obo'],
  ['two steps', false, EXCHANGE, 'id-jag'],
  ['its own way, which the dialect names', true, ENTRA, undefined],
  ['its own way, which both name', true, ENTRA, 'entra-obo'],
  ['another way than the dialect names', false, ENTRA, 'rfc8693'],
])('what is asked for in %s is asked for in the dialect: %s', (_what, expected, service, named) => {
  expect(requestDialectOf(service, targetOf(named)) !== undefined).toBe(expected);
});

test('an ID-JAG is asked for in one way everywhere, so no dialect has a say', () => {
  expect(requestDialectOf(EXCHANGE, targetOf(undefined, TOKEN_TYPE.idJag))).toBeUndefined();
});

test('the target says what type is asked for, else the dialect, if it has a say', () => {
  const service = serviceOf({ name: 'own', requestedTokenType: TOKEN_TYPE.jwt });
  expect(requestedTokenTypeOf(service, targetOf())).toBe(TOKEN_TYPE.jwt);
  expect(requestedTokenTypeOf(service, targetOf(undefined, 'urn:x'))).toBe('urn:x');
  expect(requestedTokenTypeOf(service, targetOf('entra-obo'))).toBeUndefined();
  expect(requestedTokenTypeOf(PLAIN, targetOf())).toBeUndefined();
});

test('a type that the answer leaves out is that of the profile, else of the dialect, if it has a say', () => {
  const service = serviceOf({ name: 'own', issuedTokenType: TOKEN_TYPE.jwt });
  expect(impliedTokenTypeOf(service, targetOf())).toBe(TOKEN_TYPE.jwt);
  expect(impliedTokenTypeOf(service, targetOf('entra-obo'))).toBe(TOKEN_TYPE.accessToken);
  expect(impliedTokenTypeOf(service, targetOf('id-jag'))).toBe(TOKEN_TYPE.accessToken);
  expect(impliedTokenTypeOf(service, targetOf(undefined, TOKEN_TYPE.idJag))).toBeUndefined();
  expect(impliedTokenTypeOf(PLAIN, targetOf())).toBeUndefined();
});
