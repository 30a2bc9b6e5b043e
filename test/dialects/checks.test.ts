import { expect, test } from 'vitest';
import type { Dialect } from '../../src/core/dialect.ts';
import { processExchangeResponse } from '../../src/core/exchange.ts';
import { resolveTarget, type Target } from '../../src/core/target.ts';
import { verifyIssuedToken } from '../../src/core/verify.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { always } from '../support/loopback.ts';
import {
  AT,
  dex,
  type Exchanged,
  entra,
  google,
  JWT,
  keycloak,
  LEGACY,
  POOL,
  PRESETS,
  parametersOf,
  startProvider,
  zitadel,
} from './presets.ts';

const NOW = Date.UTC(2026, 0, 1);
const ALICE = { sub: 'alice', oid: 'alice-oid', aud: [] };

interface Issued {
  readonly answered?: Readonly<Record<string, unknown>>;
  readonly dialect: Dialect;
  readonly target: Target;
  readonly exchanged?: Exchanged;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly token?: string;
}

/** Lets a provider issue a token and holds it against what was asked for. */
async function verified({ dialect, target, exchanged, claims, token, answered }: Issued): Promise<void> {
  const access_token =
    token ??
    fakeJwt({ sub: 'alice', oid: 'alice-oid', aud: target.audience, exp: seconds(NOW) + 300, ...claims });
  const issued_token_type = dialect.name === 'zitadel' ? JWT : AT;
  const answer = { access_token, token_type: 'Bearer', expires_in: 300, issued_token_type, ...answered };
  const provider = await startProvider(dialect, { answer: always(answer) });
  const response = await provider.exchange(target, exchanged);
  const issued = await processExchangeResponse(provider.service, response, parametersOf(target, exchanged));
  verifyIssuedToken(issued, {
    service: provider.service,
    target: resolveTarget(target),
    subject: ALICE,
    actor: exchanged?.actorType === undefined ? undefined : { sub: 'agent' },
    now: NOW,
  });
}

const strict = PRESETS.filter(({ dialect }) => !/^(?:google|dex)/.test(dialect.name)).map(
  ({ dialect, target }) => [dialect.name, dialect, target] as const,
);

test.each(strict)('%s: a token as it was asked for is taken', async (_name, dialect, target) => {
  await expect(verified({ dialect, target })).resolves.toBeUndefined();
});

test.each(strict)('%s: a token that is not as it was asked for is refused', async (name, dialect, target) => {
  const lies: readonly Readonly<Record<string, unknown>>[] = [
    { aud: 'somebody-else' },
    { aud: [target.audience, 'somebody-else'] },
    name === 'entra' ? { oid: 'bob-oid' } : { sub: 'bob' },
    { exp: seconds(NOW) - 1 },
  ];
  for (const claims of lies) {
    expect(await failureOf(verified({ dialect, target, claims }))).toMatchObject({
      code: 'issued_token_rejected',
    });
  }
  const scoped = { ...target, scope: 'read' };
  expect(
    await failureOf(verified({ dialect, target: scoped, claims: { scope: 'read write' } })),
  ).toMatchObject({ code: 'issued_token_rejected' });
});

test.each<[string, Exchanged]>([
  ['keycloak(delegation)', { actorType: AT }],
  ['zitadel', { actorType: AT }],
  ['authentik', { actorType: AT }],
  [`auth0-custom(${LEGACY})`, { actorType: LEGACY }],
])('%s: a token without the actor that was sent is refused', async (name, exchanged) => {
  const preset = PRESETS.find(({ dialect }) => dialect.name === name);
  if (!preset) throw new Error('no such preset');
  const { dialect, target } = preset;

  await expect(
    verified({ dialect, target, exchanged, claims: { act: { sub: 'agent' } } }),
  ).resolves.toBeUndefined();
  for (const claims of [{}, { act: { sub: 'somebody-else' } }]) {
    const error = await failureOf(verified({ dialect, target, exchanged, claims }));
    expect(error).toMatchObject({ code: 'issued_token_rejected' });
  }
});

test('Dex: a token has a subject of its own, and this client beside the audience', async () => {
  const target = { audience: 'calendar' };
  const dialect = dex({ connectorId: 'upstream' });
  const claims = { sub: 'CgVhbGljZRIIdXBzdHJlYW0', aud: ['calendar', 'agent'] };
  await expect(verified({ dialect, target, claims })).resolves.toBeUndefined();
});

test('Dex: a token that is not for the audience at all is refused', async () => {
  const target = { audience: 'calendar' };
  const dialect = dex({ connectorId: 'upstream' });
  expect(await failureOf(verified({ dialect, target, claims: { aud: 'agent' } }))).toMatchObject({
    code: 'issued_token_rejected',
  });
});

test('Google: an opaque token is taken only from a target that says so', async () => {
  const opaque: Issued = {
    dialect: google(),
    target: { audience: POOL, scope: 'a' },
    exchanged: { subjectType: JWT },
    token: 'ya29.not-a-real-token',
  };
  expect(await failureOf(verified(opaque))).toMatchObject({ code: 'issued_token_rejected' });
  const allowed = { ...opaque, target: { ...opaque.target, allowOpaqueIssued: true } };
  await expect(verified(allowed)).resolves.toBeUndefined();
});

test('ZITADEL: an opaque access token, where a JWT was asked for, is refused', async () => {
  const issued = { dialect: zitadel(), target: { audience: '1' }, token: 'opaque' };
  expect(await failureOf(verified(issued))).toMatchObject({ code: 'issued_token_rejected' });
});

test('Entra: a user has another "sub" for each application, and is the same by "oid"', async () => {
  const target = { audience: 'api://calendar', scope: 'api://calendar/.default' };
  const claims = { sub: 'alice-at-calendar', scp: 'read write' };
  await expect(verified({ dialect: entra(), target, claims })).resolves.toBeUndefined();
});

test('Keycloak: the default client scopes of a new client are no widening, others are', async () => {
  const target = { audience: 'calendar', scope: 'calendar.read' };
  const wider = (scope: string, dialect = keycloak()) =>
    verified({ dialect, target, claims: { scope }, answered: { scope } });
  await expect(wider('calendar.read profile email')).resolves.toBeUndefined();
  await expect(wider('')).resolves.toBeUndefined();
  const none = keycloak({ defaultScopes: [] });
  const own = keycloak({ defaultScopes: ['groups'] });
  await expect(wider('calendar.read groups', own)).resolves.toBeUndefined();
  for (const refused of [
    wider('calendar.read calendar.write'),
    wider('calendar.read email', none),
    wider('calendar.read email', own),
  ]) {
    expect(await failureOf(refused)).toMatchObject({ code: 'issued_token_rejected' });
  }
});

test('an answer without "issued_token_type" is taken only where it is known to lack it', async () => {
  const lacking = ['entra', `auth0-custom(${LEGACY})`];
  for (const { dialect, target, subjectType } of PRESETS) {
    const sub = dialect.name.startsWith('dex') ? 'somebody' : 'alice';
    const issued = verified({
      dialect,
      target: { ...target, allowOpaqueIssued: true },
      exchanged: { subjectType },
      claims: { sub },
      answered: { issued_token_type: undefined },
    });
    if (lacking.includes(dialect.name)) await expect(issued).resolves.toBeUndefined();
    else expect(await failureOf(issued)).toMatchObject({ code: 'sts_invalid_response' });
  }
});
