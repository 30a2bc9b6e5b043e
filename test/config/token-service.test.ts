import { expect, test } from 'vitest';
import { right, SERVICE, wrong } from './fixtures.ts';

const withService = (more: object, root: object = {}): { readonly token_exchange: object } => ({
  token_exchange: { token_services: { sts: { ...SERVICE, ...more } }, ...root },
});
const AT = 'token_exchange.token_services.sts';

test('a token service has defaults: a public client, no actor, https', () => {
  expect(right(withService({})).token_exchange).toEqual({
    token_services: {
      sts: {
        ...SERVICE,
        client_authentication: { method: 'none' },
        actor: { source: 'none' },
        dangerously_allow_insecure_http: false,
      },
    },
    retention: 'run',
  });
});

test.each([
  ['none', {}, []],
  ['client_secret_basic', { client_secret: 'x' }, ['client_secret']],
  ['client_secret_post', { client_secret: 'x' }, ['client_secret']],
  ['client_secret_jwt', { client_secret: 'x' }, ['client_secret']],
  ['private_key_jwt', { private_key: 'x', algorithm: 'ES256', key_id: 'a' }, ['private_key']],
  ['client_assertion', { assertion: 'file:/token' }, ['assertion']],
  ['tls_client_auth', { certificate: 'x', private_key: 'y' }, ['certificate', 'private_key']],
  ['self_signed_tls_client_auth', { certificate: 'x', private_key: 'y' }, ['certificate', 'private_key']],
])('%s needs its own fields', (method, fields, needed) => {
  const of = (more: object): object => withService({ client_authentication: { method, ...more } });
  expect(wrong(of(fields) as never)).toEqual([]);
  expect(wrong(of({}) as never)).toEqual(
    needed.map((field) => `${AT}.client_authentication.${field}: is needed for ${method}`),
  );
});

test.each([
  [{ source: 'file', path: '/token', token_type: 'urn:example:jwt' }, 0],
  [{ source: 'client_credentials' }, 0],
  [{ source: 'none' }, 0],
  [{ source: 'file' }, 1],
  [{ source: 'none', path: '/token' }, 1],
])('of the actor %j there are %i problems', (actor, count) => {
  expect(wrong(withService({ actor }))).toHaveLength(count);
});

test('a token service must be found somehow', () => {
  expect(wrong(withService({ issuer: undefined }))).toEqual([
    `${AT}: one of issuer, metadata_url and token_endpoint must be given`,
  ]);
  for (const member of ['metadata_url', 'token_endpoint']) {
    expect(wrong(withService({ issuer: undefined, [member]: 'https://sts.example.com/x' }))).toEqual([]);
  }
});

test('every field of a token service is read', () => {
  const all = {
    metadata_url: 'https://sts.example.com/m',
    token_endpoint: 'https://sts.example.com/t',
    host: 'sts.demo.svc',
    dialect: 'keycloak',
    profile: 'entra-obo',
    tls_ca_cert_path: '/ca.crt',
    tls_disable_system_cas: true,
    tls_insecure_skip_verify: true,
    dangerously_allow_insecure_http: true,
  };
  expect(right(withService(all)).token_exchange?.token_services.sts).toMatchObject(all);
});

test('the default token service must be one of them, and not what every object inherits', () => {
  expect(wrong(withService({}, { default_token_service: 'sts' }))).toEqual([]);
  for (const name of ['other', 'constructor']) {
    expect(wrong(withService({}, { default_token_service: name }))).toEqual([
      'token_exchange.default_token_service: names no entry of token_services',
    ]);
  }
});

test('retention is run or subject', () => {
  expect(right(withService({}, { retention: 'subject' })).token_exchange?.retention).toBe('subject');
  expect(wrong(withService({}, { retention: 'ever' }))).toHaveLength(1);
});
