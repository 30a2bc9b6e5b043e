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

test.each<[string, TokenService, ProfileName | undefined, ProfileName]>([
  ['no dialect', PLAIN, undefined, 'rfc8693'],
  ['a dialect that names none', EXCHANGE, undefined, 'rfc8693'],
  ['a dialect that names one', ENTRA, undefined, 'entra-obo'],
  ['a target that names one', PLAIN, 'id-jag', 'id-jag'],
  ['both, so the target decides', ENTRA, 'rfc8693', 'rfc8693'],
])('with %s the profile is %s', (_what, service, named, expected) => {
  const target = targetOf(named);
  expect(profileNameOf(service, target)).toBe(expected);
  expect(profileOf(service, target)).toBe({ rfc8693, 'entra-obo': entraObo, 'id-jag': idJag }[expected]);
});

test.each<[string, TokenService, ProfileName | undefined, boolean]>([
  ['its own way', EXCHANGE, undefined, true],
  ['its own way, which the target names', EXCHANGE, 'rfc8693', true],
  ['another way', EXCHANGE, 'entra-obo', false],
  ['two steps', EXCHANGE, 'id-jag', false],
  ['its own way, which the dialect names', ENTRA, undefined, true],
  ['its own way, which both name', ENTRA, 'entra-obo', true],
  ['another way than the dialect names', ENTRA, 'rfc8693', false],
])('what is asked for in %s is asked for in the dialect: %s', (_what, service, named, expected) => {
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
