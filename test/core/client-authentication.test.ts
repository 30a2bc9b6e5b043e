import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { type ClientAuth, createClientAuthentication } from '../../src/core/client-authentication.ts';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import type { IssuedToken } from '../../src/core/issued-token.ts';
import { resolveTarget } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { securityToken, TOKEN_TYPE } from '../../src/core/token-types.ts';
import type { DevelopmentClient, DevelopmentSts } from '../../src/sts/index.ts';
import { createAuthority, trusting } from '../support/certificates.ts';
import { startCertifiedSts } from '../support/certified-sts.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { createProjectedVolume, temporaryDirectory } from '../support/files.ts';
import { fakeJwt } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { json } from '../support/loopback.ts';
import { AGENT, type PlainSts, serviceOf, startPlainSts, startSts } from '../support/sts.ts';

const target = resolveTarget('calendar');
const { clientId, audiences } = AGENT;

async function exchangeAs(sts: DevelopmentSts, clientAuth: ClientAuth): Promise<IssuedToken> {
  const service = serviceOf(sts, { clientAuth });
  const subject = securityToken(await sts.mintSubjectToken({ sub: 'alice', audience: clientId }));
  return processExchangeResponse(service, await exchangeRequest(service, { subject, target }), {
    subject,
    target,
  });
}

const registered = (more: Partial<DevelopmentClient>): Promise<DevelopmentSts> =>
  startSts({ clients: [{ clientId, audiences, authentication: 'none', ...more }] });

const subject = securityToken('the-subject-token');

/** Asks for a token, and reads the answer. */
async function ask({ service }: Pick<PlainSts, 'service'>, signal?: AbortSignal): Promise<IssuedToken> {
  const response = await exchangeRequest(service, { subject, target }, { signal });
  return processExchangeResponse(service, response, { subject, target });
}

/** No second try: what is looked at is how one request fails. */
const once = { retry: { attempts: 1 } };

/** Gets the client's own token from a real authorization server. */
const grantedBy = async (options: Omit<TokenServiceOptions, 'clientId'>) =>
  clientCredentialsActor(createTokenService({ clientId, ...options }))({});

/** Every character that a form, a header or a URL gives a meaning to. */
const AWKWARD = 'p@ss w0rd+%&=:;,~/"\'?#[]-_.!*()';

test('a public client names itself and proves nothing', async () => {
  const sts = await registered({ authentication: 'none' });
  expect((await exchangeAs(sts, { method: 'none' })).claims?.sub).toBe('alice');
  expect(sts.exchanges).toMatchObject([{ clientId: 'agent', outcome: 'issued' }]);
});

test.each(['client_secret_basic', 'client_secret_post'] as const)(
  '%s is accepted by a real authorization server, also with awkward characters',
  async (method) => {
    for (const clientSecret of ['agent-secret', AWKWARD]) {
      const sts = await registered({ authentication: method, clientSecret });
      expect((await exchangeAs(sts, { method, clientSecret })).claims?.sub).toBe('alice');
    }
  },
);

test.each<[string, Partial<DevelopmentClient>, ClientAuth]>([
  [
    'a wrong secret',
    { authentication: 'client_secret_basic', clientSecret: 'right-secret' },
    { method: 'client_secret_basic', clientSecret: 'wrong-secret' },
  ],
  [
    'a wrong posted secret',
    { authentication: 'client_secret_post', clientSecret: 'right-secret' },
    { method: 'client_secret_post', clientSecret: 'wrong-secret' },
  ],
  [
    'no proof where one is needed',
    { authentication: 'client_secret_basic', clientSecret: 'right-secret' },
    { method: 'none' },
  ],
])('%s is a matter of configuration', async (_what, client, clientAuth) => {
  const sts = await registered(client);
  const error = await failureOf(exchangeAs(sts, clientAuth));
  expect(error).toMatchObject({
    code: 'sts_error',
    oauthError: 'invalid_client',
    failure: 'misconfigured',
    status: 401,
  });
  expect(error.retryable).toBe(false);
});

test('client_secret_basic puts no credential into the body, client_secret_post none into the header', async () => {
  const request = async (clientAuth: ClientAuth) => {
    const sts = await startPlainSts(undefined, { clientAuth });
    await ask(sts);
    return sts.received[0];
  };
  const basic = await request({ method: 'client_secret_basic', clientSecret: 'agent-secret' });
  expect(basic?.body).not.toContain('secret');
  expect(basic?.form.has('client_id')).toBe(false);
  const posted = await request({ method: 'client_secret_post', clientSecret: 'agent-secret' });
  expect(posted?.headers.authorization).toBeUndefined();
  expect(posted?.form.get('client_secret')).toBe('agent-secret');
});

/** What a method makes of a request; `Basic` credentials decoded. */
async function made(clientAuth: ClientAuth, clientId = 'agent', options = {}) {
  const { authenticate, ...more } = createClientAuthentication(clientAuth, clientId, options);
  const [body, headers] = [new URLSearchParams(), new Headers()];
  await authenticate({ issuer: 'https://sts.example.com' }, { client_id: clientId }, body, headers);
  return { form: Object.fromEntries(body), headers: Object.fromEntries(headers), ...more };
}

test('client_secret_basic is encoded as the examples of RFC 6749 section 2.3.1 and appendix B', async () => {
  const method = 'client_secret_basic';
  const example = await made({ method, clientSecret: 'gX1fBat3bV' }, 's6BhdRkqt3');
  expect(example.headers).toEqual({ authorization: 'Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW' });
  const encoded = await made({ method, clientSecret: ' %&+\u00a3\u20ac' }, 'a:b');
  const credentials = Buffer.from('a%3Ab:+%25%26%2B%C2%A3%E2%82%AC').toString('base64');
  expect(encoded).toMatchObject({ form: {}, headers: { authorization: `Basic ${credentials}` } });
});

test('client_secret_post is sent as the example of RFC 6749 section 2.3.1', async () => {
  const { form, headers } = await made(
    { method: 'client_secret_post', clientSecret: '7Fjfp0ZBr1KtDRbnfVdmIw' },
    's6BhdRkqt3',
  );
  expect(form).toEqual({ client_id: 's6BhdRkqt3', client_secret: '7Fjfp0ZBr1KtDRbnfVdmIw' });
  expect(headers).toEqual({});
});

test('client_secret_jwt is accepted by a real authorization server, and not with another secret', async () => {
  const authority = await createAuthority();
  const clientSecret = 'a-fake-secret-of-32-bytes-or-more';
  const client = { client_id: 'agent', client_secret: clientSecret };
  const { issuer } = await startCertifiedSts(authority, [
    { ...client, token_endpoint_auth_method: 'client_secret_jwt' },
  ]);
  const method = 'client_secret_jwt';
  const grant = (clientAuth: ClientAuth) =>
    grantedBy({ issuer, clientAuth, fetch: trusting(authority), ...once });
  expect(await grant({ method, clientSecret })).toMatchObject({ type: TOKEN_TYPE.accessToken });
  expect(await failureOf(grant({ method, clientSecret: `${clientSecret}!` }))).toMatchObject({
    oauthError: 'invalid_client',
  });
});

test('a dialect that knows no clients is not told one, unless the client proves who it is', async () => {
  const omitsClientId = true;
  expect((await made({ method: 'none' }, 'agent', { omitsClientId })).form).toEqual({});
  expect((await made({ method: 'none' })).form).toEqual({ client_id: 'agent' });
  const posted = await made({ method: 'client_secret_post', clientSecret: 'x' }, 'agent', { omitsClientId });
  expect(posted.form).toEqual({ client_id: 'agent', client_secret: 'x' });
});

test.each(['client_secret_basic', 'client_secret_post'] as const)(
  '%s takes a secret that was replaced for the next request, from a file and from a function',
  async (method) => {
    const [first, second] = ['first-secret', 'second-secret'];
    const volume = await createProjectedVolume({ secret: `${first}\n` });
    let current = first;
    for (const clientSecret of [{ file: volume.path('secret') }, async () => current]) {
      await volume.project({ secret: first });
      current = first;
      const sts = await startPlainSts(undefined, { clientAuth: { method, clientSecret } });
      await ask(sts);
      await volume.project({ secret: second });
      current = second;
      await ask(sts);
      const seen = sts.received.map(({ headers, form }) => {
        const basic = Buffer.from(headers.authorization?.slice(6) ?? '', 'base64').toString();
        return form.get('client_secret') ?? decodeURIComponent(basic.split(':')[1] ?? '');
      });
      expect(seen).toEqual([first, second]);
    }
  },
);

test('without its secret a client sends nothing, and says which option is in the way', async () => {
  const file = join(await temporaryDirectory(), 'secret');
  const clientAuth = { method: 'client_secret_basic', clientSecret: { file } } as const;
  const sts = await startPlainSts(undefined, { clientAuth, ...once });
  const error = await failureOf(ask(sts));
  expect(error).toMatchObject({ code: 'client_auth_unavailable', failure: 'unavailable', retryable: true });
  expect(error.message).toBe(`"clientAuth.clientSecret": ${file} cannot be read (ENOENT)`);
  expect(sts.received).toEqual([]);
  await writeFile(file, 'here-it-is');
  await ask(sts);
  expect(sts.received).toHaveLength(1);
});

test.each(['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'client_assertion'] as const)(
  'what %s sent is not repeated, in any spelling, when the STS does so',
  async (method) => {
    const secret = 'p~ss_w.rd-4';
    const assertion = fakeJwt({ iss: 'cluster', sub: 'agent' });
    for (const source of [secret, () => secret]) {
      const clientAuth: ClientAuth =
        method === 'client_assertion'
          ? { method, assertion: typeof source === 'string' ? assertion : () => assertion }
          : { method, clientSecret: source };
      const sts = await startPlainSts(undefined, { clientAuth, ...once });
      const secrets = [secret, 'p%7Ess_w.rd-4'];
      sts.handle(({ headers, form }, response) => {
        const basic = headers.authorization?.slice(6) ?? '';
        secrets.push(...[basic, form.get('client_assertion') ?? ''].filter(Boolean));
        const said = `who are you, ${secret} ${secrets[1]}, ${basic}, ${form.get('client_assertion')}?`;
        json(response, { error: 'invalid_client', error_description: said }, { status: 401 });
      });
      const error = await failureOf(ask(sts));
      expect(error.oauthError).toBe('invalid_client');
      // The encoded form is on the wire for client_secret_basic alone.
      const onWire =
        method === 'client_secret_basic' ? secrets : secrets.filter((one) => !one.includes('%7E'));
      expectNoLeak(
        error,
        onWire.filter((one) => method !== 'client_assertion' || one === assertion),
      );
    }
  },
);

test('of what was sent the last is kept, and not more and more', async () => {
  let count = 0;
  const clientSecret = () => `secret-${++count}`;
  const { authenticate, sent } = createClientAuthentication(
    { method: 'client_secret_basic', clientSecret },
    'agent',
  );
  expect(sent()).toEqual([]);
  for (let i = 0; i < 50; i++) {
    await authenticate(
      { issuer: 'https://sts.example.com' },
      { client_id: 'agent' },
      new URLSearchParams(),
      new Headers(),
    );
  }
  expect(sent()).toContain('secret-50');
  expect(sent()).toContain(Buffer.from('agent:secret-50').toString('base64'));
  expect(sent().length).toBeLessThanOrEqual(16);
});

test('a secret given as value is known as confidential before the first request', () => {
  const { sent } = createClientAuthentication(
    { method: 'client_secret_basic', clientSecret: 'p@ss-word' },
    'agent',
  );
  const credentials = Buffer.from('agent:p%40ss-word').toString('base64');
  expect([...sent()].sort()).toEqual([credentials, 'p%40ss-word', 'p@ss-word'].sort());
});

test('nothing that is made of a setting shows a secret when it is printed', async () => {
  const clientSecret = 'agent-secret-of-a-test';
  const secrets = [clientSecret, Buffer.from(`agent:${clientSecret}`).toString('base64')];
  for (const method of ['client_secret_basic', 'client_secret_post', 'client_secret_jwt'] as const) {
    for (const source of [clientSecret, () => clientSecret]) {
      const clientAuth: ClientAuth = { method, clientSecret: source };
      const authentication = createClientAuthentication(clientAuth, 'agent');
      const body = new URLSearchParams();
      const as = { issuer: 'https://sts.example.com' };
      await authentication.authenticate(as, { client_id: 'agent' }, body, new Headers());
      expectNoLeak(authentication, secrets);
      const sts = await startPlainSts(undefined, { clientAuth });
      await ask(sts);
      expectNoLeak(sts.service, secrets);
    }
  }
});

test('a caller that leaves while its secret is fetched is obeyed, for its own reason', async () => {
  const reason = new Error('enough');
  const controller = new AbortController();
  const { authenticate } = createClientAuthentication(
    { method: 'client_secret_post', clientSecret: () => new Promise(() => {}) },
    'agent',
  );
  const as = { issuer: 'https://sts.example.com' };
  const asking = thrownBy(
    authenticate(as, { client_id: 'agent' }, new URLSearchParams(), new Headers(), controller.signal),
  );
  controller.abort(reason);
  expect(await asking).toBe(reason);
});

test('what the library throws is not passed on', async () => {
  // Half a surrogate pair cannot be encoded.
  const secret = 'fake-secret-\ud800';
  for (const clientSecret of [secret, () => secret]) {
    const clientAuth: ClientAuth = { method: 'client_secret_basic', clientSecret };
    const sts = await startPlainSts(undefined, { clientAuth, ...once });
    const error = await failureOf(ask(sts));
    expect(error).toMatchObject({ code: 'client_auth_unavailable', failure: 'misconfigured' });
    expect(error.cause).toBeUndefined();
    expectNoLeak(error, ['fake-secret-']);
  }
});

test.each<[string, object]>([
  ['clientAuth.method', { method: 'password' }],
  ['clientAuth.method', { method: 'toString' }],
  ['clientAuth.method', {}],
  ['clientAuth.clientSecret', { method: 'client_secret_basic' }],
  ['clientAuth.clientSecret', { method: 'client_secret_post', clientSecret: '' }],
  ['clientAuth.clientSecret', { method: 'client_secret_jwt', clientSecret: { path: 'x' } }],
  ['clientAuth.secret', { method: 'client_secret_basic', clientSecret: 'x', secret: 'x' }],
  ['clientAuth.audience', { method: 'client_secret_jwt', clientSecret: 'x', audience: '' }],
  ['clientAuth.clientSecret', { method: 'none', clientSecret: 'x' }],
  ['clientAuth.assertion', { method: 'client_assertion' }],
  ['clientAuth.assertion', { method: 'client_assertion', assertion: 'no-jwt' }],
  ['clientAuth.certificate', { method: 'tls_client_auth' }],
])('a wrong %s is found when the service is made', (field, clientAuth) => {
  const make = () =>
    createTokenService({
      tokenEndpoint: 'https://sts.example.com/token',
      clientId: 'agent',
      clientAuth: clientAuth as ClientAuth,
    });
  expect(make).toThrow(TypeError);
  expect(make).toThrow(`"${field}"`);
});

test.each([
  // RFC 6749 section 2.3.1 names the client; the encoding is that of appendix B.
  ['s6BhdRkqt3', '7Fjfp0ZBr1KtDRbnfVdmIw', 's6BhdRkqt3:7Fjfp0ZBr1KtDRbnfVdmIw'],
  ['my-client_1.a*', 'a-secret_1.a*', 'my-client_1.a*:a-secret_1.a*'],
  // The example of appendix B: U+0020, U+0025, U+0026, U+002B, U+00A3, U+20AC.
  ['agent', ' %&+\u00a3\u20ac', 'agent:+%25%26%2B%C2%A3%E2%82%AC'],
  ['a:b', 'c:d~', 'a%3Ab:c%3Ad%7E'],
])(
  'client_secret_basic of %s encodes as a form does, and no more',
  async (clientId, clientSecret, wanted) => {
    const { authenticate } = createClientAuthentication(
      { method: 'client_secret_basic', clientSecret },
      clientId,
    );
    const headers = new Headers();
    await authenticate(
      { issuer: 'https://sts.example.com' },
      { client_id: clientId },
      new URLSearchParams(),
      headers,
    );
    expect(headers.get('authorization')).toBe(`Basic ${Buffer.from(wanted).toString('base64')}`);
  },
);
