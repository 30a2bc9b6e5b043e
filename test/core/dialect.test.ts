import { expect, test } from 'vitest';
import type { Dialect } from '../../src/core/dialect.ts';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import type { ExchangeParameters } from '../../src/core/exchange-parameters.ts';
import { resolveTarget, type Target } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { securityToken, TOKEN_TYPE } from '../../src/core/token-types.ts';
import { failureOf } from '../support/failure.ts';
import { type PlainSts, startPlainSts } from '../support/sts.ts';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

const parametersFor = (target: Target): ExchangeParameters => ({
  subject: securityToken('the-subject-token'),
  target: resolveTarget(target),
});

const target = { audience: 'calendar', scope: 'read' };
const startIn = (dialect: Partial<Dialect>): Promise<PlainSts> =>
  startPlainSts(undefined, { dialect: { name: 'own', ...dialect } });

test('a dialect changes the form last, and knows what is exchanged', async () => {
  let given: ExchangeParameters | undefined;
  const sts = await startIn({
    requestedTokenType: TOKEN_TYPE.jwt,
    form: (form, exchange) => {
      given = exchange;
      form.delete('scope');
      form.set('connector_id', 'upstream');
      return form;
    },
  });
  await exchangeRequest(sts.service, parametersFor(target));
  expect([...(sts.received[0]?.form ?? [])]).toEqual([
    ['audience', 'calendar'],
    ['requested_token_type', TOKEN_TYPE.jwt],
    ['subject_token', 'the-subject-token'],
    ['subject_token_type', TOKEN_TYPE.accessToken],
    ['connector_id', 'upstream'],
    ['grant_type', EXCHANGE],
    ['client_id', 'agent'],
  ]);
  expect(given?.subject.token).toBe('the-subject-token');
  expect(given?.target).toMatchObject({ scopes: ['read'], requestedTokenType: TOKEN_TYPE.jwt });
});

test('a dialect refuses what cannot work before anything is sent, in words that name no token', async () => {
  const sts = await startIn({
    refuse: ({ target: { audiences } }) => (audiences.includes('calendar') ? 'no calendars here' : undefined),
  });
  const error = await failureOf(exchangeRequest(sts.service, parametersFor(target)));
  expect(error).toMatchObject({ code: 'exchange_unsupported', failure: 'misconfigured', retryable: false });
  expect(error.message).toBe('nothing was sent to the STS: no calendars here');
  expect(sts.received).toEqual([]);
  expect((await exchangeRequest(sts.service, parametersFor({ audience: 'files' }))).status).toBe(200);
});

test('a dialect asks for a type where the target does not', async () => {
  const sts = await startIn({ requestedTokenType: TOKEN_TYPE.jwt });
  await exchangeRequest(sts.service, parametersFor(target));
  await exchangeRequest(sts.service, parametersFor({ ...target, requestedTokenType: 'urn:x' }));
  expect(sts.received.map(({ form }) => form.get('requested_token_type'))).toEqual([TOKEN_TYPE.jwt, 'urn:x']);
});

test('a dialect says what an answer means that does not say what was issued, and no more', async () => {
  const sts = await startIn({ issuedTokenType: TOKEN_TYPE.jwt });
  const read = (issued_token_type: unknown) =>
    processExchangeResponse(
      sts.service,
      Response.json({ access_token: 'opaque', token_type: 'Bearer', issued_token_type }),
      parametersFor(target),
    );
  expect((await read(undefined)).issuedTokenType).toBe(TOKEN_TYPE.jwt);
  expect((await read(TOKEN_TYPE.idToken)).issuedTokenType).toBe(TOKEN_TYPE.idToken);
  expect((await failureOf(read(7))).message).toContain('issued_token_type');
  expect((await failureOf(read(''))).message).toContain('issued_token_type');
});

test('a dialect has no say where the target names another profile', async () => {
  const form = (): URLSearchParams => new URLSearchParams({ bent: 'yes' });
  const sts = await startIn({ form, refuse: () => 'never', requestedTokenType: TOKEN_TYPE.jwt });
  await exchangeRequest(sts.service, parametersFor({ ...target, profile: 'entra-obo' }));
  expect([...(sts.received[0]?.form.keys() ?? [])]).toEqual([
    ...['assertion', 'scope', 'requested_token_use', 'grant_type', 'client_id'],
  ]);
});

test('a dialect names the profile of targets that name none', async () => {
  const sts = await startIn({ profile: 'entra-obo' });
  await exchangeRequest(sts.service, parametersFor(target));
  await exchangeRequest(sts.service, parametersFor({ ...target, profile: 'rfc8693' }));
  expect(sts.received.map(({ form }) => form.get('grant_type'))).toEqual([
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    EXCHANGE,
  ]);
});

test.each<[string, object]>([
  ['"name"', {}],
  ['"name"', { name: '' }],
  ['"rfc8693" or "entra-obo"', { name: 'own', profile: 'obo' }],
  // It needs another authorization server for each target, so only a target can name it.
  ['"rfc8693" or "entra-obo"', { name: 'own', profile: 'id-jag' }],
  ['"requestedTokenType"', { name: 'own', requestedTokenType: '' }],
  ['"issuedTokenType"', { name: 'own', issuedTokenType: 5 }],
  ['"refuse"', { name: 'own', refuse: 'never' }],
  ['"form"', { name: 'own', form: {} }],
  ['"classify"', { name: 'own', classify: true }],
  ['"unchecked"', { name: 'own', unchecked: ['aud'] }],
  ['"unchecked"', { name: 'own', unchecked: { scope: true } }],
  ['"addedScopes"', { name: 'own', addedScopes: 'profile' }],
  ['"omitsClientId"', { name: 'own', omitsClientId: 'yes' }],
  ['"unckecked" is no option', { name: 'own', unckecked: ['scope'] }],
])('a dialect with a wrong member is refused when the service is made: %s of %o', (named, dialect) => {
  const make = () =>
    createTokenService({
      ...{ tokenEndpoint: 'https://sts.example.com/token', clientId: 'agent' },
      dialect: dialect as Dialect,
    });
  expect(make).toThrow(TypeError);
  expect(make).toThrow(named);
});
