import { expect, test } from 'vitest';
import type { Target } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import { JWT_BEARER_GRANT, TOKEN_EXCHANGE_GRANT, TOKEN_TYPE } from '../../src/core/token-types.ts';
import { createClock } from '../support/clock.ts';
import { failureOf } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { always, json, type Loopback, startLoopback } from '../support/loopback.ts';
import { subjectJwt } from '../support/sts.ts';

import { asserting, granting, MCP, payloadOf, REFUSED, SECRETS, startWorld, typed } from './id-jag-world.ts';

test('an access token of the resource’s authorization server is made in two steps', async () => {
  const { idp, as, broker, target } = await startWorld();
  const subjectToken = subjectJwt('alice');
  const run = broker.begin({ subjectToken });
  const token = await broker.token(run, { ...target, scope: 'read' });
  expect(token.claims).toMatchObject({ sub: 'user-17', aud: [MCP], scope: 'read' });
  expect([...(idp.received[0]?.form ?? [])].sort()).toEqual(
    [
      ['grant_type', TOKEN_EXCHANGE_GRANT],
      ['requested_token_type', TOKEN_TYPE.idJag],
      ['audience', as.origin],
      ['resource', MCP],
      ['scope', 'read'],
      ['subject_token', subjectToken],
      ['subject_token_type', TOKEN_TYPE.accessToken],
      ['client_id', 'agent'],
      ['client_secret', SECRETS.idp],
    ].sort(),
  );
  const assertion = as.received[0]?.form.get('assertion') ?? null;
  expect(payloadOf(assertion)).toMatchObject({ sub: 'alice', aud: as.origin, resource: MCP });
  expect([...(as.received[0]?.form ?? [])].sort()).toEqual(
    [
      ['grant_type', JWT_BEARER_GRANT],
      ['assertion', assertion],
      ['client_id', 'files-agent'],
      ['client_secret', SECRETS.as],
    ].sort(),
  );
  expect([idp.received.length, as.received.length]).toEqual([1, 1]);
});

test('each server is sent what is for it, and nothing that is for the other', async () => {
  const { idp, as, broker, target, token } = await startWorld();
  const other = await startLoopback(granting(createClock()));
  const authorizationServer = createTokenService({
    ...{ issuer: other.origin, tokenEndpoint: `${other.origin}/token`, clientId: 'notes-agent' },
  });
  const subjectToken = subjectJwt('alice');
  const run = broker.begin({ subjectToken });
  const notes = 'https://mcp.example.com/notes';
  await Promise.all([
    token(),
    broker.token(run, target),
    broker.token(run, { ...target, resource: notes, authorizationServer }),
    broker.token(run, 'calendar').catch(() => {}),
  ]);
  for (const { body } of [...as.received, ...other.received]) {
    expect(body).not.toContain(subjectToken);
    expect(body).not.toContain(SECRETS.idp);
  }
  for (const { form } of as.received) expect(payloadOf(form.get('assertion')).aud).toBe(as.origin);
  expect(other.received).toHaveLength(1);
  for (const { form, body } of other.received) {
    expect(payloadOf(form.get('assertion')).aud).toBe(other.origin);
    expect(body).not.toContain(SECRETS.as);
  }
  for (const { body } of idp.received) {
    expect(body).not.toContain(SECRETS.as);
    expect(body).not.toContain('assertion=');
  }
});

test('servers that stand for one resource, or one server and two clients, have a token each', async () => {
  const { clock, as, broker, target, authorizationServer } = await startWorld();
  const other = await startLoopback(granting(clock));
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const service = (server: Loopback, clientId: string): TokenService =>
    createTokenService({ issuer: as.origin, tokenEndpoint: `${server.origin}/token`, clientId });
  const servers = [authorizationServer, service(other, 'files-agent'), service(as, 'another-agent')];
  const tokens = await Promise.all(
    servers.map((each) => broker.token(run, { ...target, authorizationServer: each })),
  );
  expect(new Set(tokens.map(({ accessToken }) => accessToken)).size).toBe(3);
  expect([as.received.length, other.received.length]).toEqual([2, 1]);
});

test('the ID-JAG and the access token are kept on their own: one ID-JAG makes many access tokens', async () => {
  const { clock, idp, as, token } = await startWorld({ refreshAhead: false });
  const first = await token();
  expect(await token()).toBe(first);
  expect([idp.received.length, as.received.length]).toEqual([1, 1]);
  clock.advance(120_000);
  const second = await token();
  expect(second.accessToken).not.toBe(first.accessToken);
  expect([idp.received.length, as.received.length]).toEqual([1, 2]);
  const assertions = as.received.map(({ form }) => form.get('assertion'));
  expect(assertions[1]).toBe(assertions[0]);
  // The ID-JAG lasts five minutes, and no longer.
  clock.advance(180_000);
  await token();
  expect([idp.received.length, as.received.length]).toEqual([2, 3]);
});

test('an access token that the resource refused is made anew from the same ID-JAG', async () => {
  const { idp, as, broker, target } = await startWorld();
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const first = await broker.token(run, target);
  broker.reject(run, target, first.accessToken);
  expect(await broker.token(run, target)).not.toBe(first);
  expect([idp.received.length, as.received.length]).toEqual([1, 2]);
});

test('many who ask at once make one of each', async () => {
  const { idp, as, token } = await startWorld();
  const tokens = await Promise.all(Array.from({ length: 20 }, () => token()));
  expect(new Set(tokens).size).toBe(1);
  expect([idp.received.length, as.received.length]).toEqual([1, 1]);
});

test('users share neither the ID-JAG nor the access token', async () => {
  const { idp, as, token } = await startWorld();
  const [alice, bob] = await Promise.all([token('alice'), token('bob')]);
  expect(alice.accessToken).not.toBe(bob.accessToken);
  expect([idp.received.length, as.received.length]).toEqual([2, 2]);
  const subjects = as.received.map(({ form }) => payloadOf(form.get('assertion')).sub);
  expect(subjects.sort()).toEqual(['alice', 'bob']);
});

test('a kept ID-JAG that is refused is replaced by a fresh one, once, and the access token comes from that', async () => {
  const { clock, idp, as, token } = await startWorld({ refreshAhead: false });
  await token();
  clock.advance(120_000);
  // It takes an ID-JAG once only.
  const used = as.received[0]?.form.get('assertion');
  as.handle((request, response) => {
    (request.form.get('assertion') === used ? REFUSED : granting(clock))(request, response);
  });
  expect((await token()).claims?.aud).toEqual([MCP]);
  expect([idp.received.length, as.received.length]).toEqual([2, 3]);
  const assertions = as.received.map(({ form }) => form.get('assertion'));
  expect(assertions[1]).toBe(used);
  expect(assertions[2]).not.toBe(used);
});

test('when the fresh ID-JAG is refused too, that is the answer; nothing is tried a third time', async () => {
  const { clock, idp, as, token } = await startWorld({ refreshAhead: false });
  await token();
  clock.advance(120_000);
  as.handle(REFUSED);
  expect(await failureOf(token())).toMatchObject({ code: 'sts_error', oauthError: 'invalid_grant' });
  expect([idp.received.length, as.received.length]).toEqual([2, 3]);
});

test('a kept ID-JAG that was refused is not sent again, though there was no fresh one then', async () => {
  const { clock, idp, as, token } = await startWorld({ refreshAhead: false });
  await token();
  clock.advance(120_000);
  const used = as.received[0]?.form.get('assertion');
  as.handle((request, response) => {
    (request.form.get('assertion') === used ? REFUSED : granting(clock))(request, response);
  });
  idp.handle((_request, response) => void response.writeHead(503).end());
  expect(await failureOf(token())).toMatchObject({ status: 503 });
  idp.handle(asserting(clock));
  await token();
  const sent = as.received.map(({ form }) => form.get('assertion') === used);
  expect(sent).toEqual([true, true, false]);
});

test('an ID-JAG that was just made and is refused is not made again', async () => {
  const { idp, as, token } = await startWorld();
  as.handle(REFUSED);
  expect(await failureOf(token())).toMatchObject({
    code: 'sts_error',
    oauthError: 'invalid_grant',
    failure: 'reauthentication_required',
  });
  expect([idp.received.length, as.received.length]).toEqual([1, 1]);
});

test.each(['invalid_client', 'invalid_scope', 'temporarily_unavailable'])(
  'a kept ID-JAG stays when the authorization server answers %s',
  async (error) => {
    const { clock, idp, as, token } = await startWorld({ refreshAhead: false, refusalTtlMs: 0 });
    await token();
    clock.advance(120_000);
    as.handle(always({ error }, { status: 400 }));
    expect(await failureOf(token())).toMatchObject({ oauthError: error });
    as.handle(granting(clock));
    await token();
    expect([idp.received.length, as.received.length]).toEqual([1, 3]);
  },
);

test.each(['at+jwt', 'JWT', 'oauth-id-jag', ''])(
  'what the provider gives with the type %j is no ID-JAG: it is sent nowhere and not kept',
  async (typ) => {
    const { clock, idp, as, token } = await startWorld();
    idp.handle(asserting(clock, typ));
    const error = await failureOf(token());
    expect(error).toMatchObject({ code: 'issued_token_rejected', failure: 'misconfigured' });
    expect(as.received).toEqual([]);
    // Once the provider is set right, nothing of it is left.
    idp.handle(asserting(clock));
    clock.advance(60_000);
    expect((await token()).claims?.aud).toEqual([MCP]);
  },
);

test('an ID-JAG for another user, or for another server, is sent nowhere', async () => {
  for (const lie of [{ sub: 'mallory' }, { aud: 'https://elsewhere.example.com' }]) {
    const { clock, idp, as, token } = await startWorld();
    idp.handle(({ form }, response) => {
      const { sub } = payloadOf(form.get('subject_token'));
      const claims = { sub, aud: form.get('audience'), exp: seconds(clock.now()) + 300, ...lie };
      const access_token = typed('oauth-id-jag+jwt', claims);
      json(response, { access_token, issued_token_type: TOKEN_TYPE.idJag, token_type: 'N_A' });
    });
    expect((await failureOf(token())).code).toBe('issued_token_rejected');
    expect(as.received).toEqual([]);
  }
});

test('an access token for another resource is refused', async () => {
  const { clock, as, token } = await startWorld();
  as.handle((_request, response) => {
    const access_token = fakeJwt({
      sub: 'user-17',
      aud: 'https://else.example.com',
      exp: seconds(clock.now()) + 60,
    });
    json(response, { access_token, token_type: 'Bearer' });
  });
  expect((await failureOf(token())).code).toBe('issued_token_rejected');
});

test('an authorization server of which nobody knows the issuer is asked for nothing', async () => {
  const { idp, as, broker } = await startWorld();
  const authorizationServer = createTokenService({
    tokenEndpoint: `${as.origin}/token`,
    clientId: 'files-agent',
  });
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const target: Target = { resource: MCP, profile: 'id-jag', authorizationServer };
  expect((await failureOf(broker.token(run, target))).code).toBe('exchange_unsupported');
  expect([...idp.received, ...as.received]).toEqual([]);
  // It may be named as audience.
  expect((await broker.token(run, { ...target, audience: as.origin })).claims?.aud).toEqual([MCP]);
});

test('an authorization server is discovered first, and its issuer is the audience', async () => {
  const { clock, idp, as, broker } = await startWorld();
  as.handle((request, response) => {
    const metadata = { issuer: as.origin, token_endpoint: `${as.origin}/oauth/token` };
    if (request.method === 'GET') json(response, metadata);
    else granting(clock)(request, response);
  });
  const authorizationServer = createTokenService({ issuer: as.origin, clientId: 'files-agent' });
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  const target: Target = { resource: MCP, profile: 'id-jag', authorizationServer };
  expect(broker.peek(run, target)).toBeUndefined();
  const token = await broker.token(run, target);
  expect(broker.peek(run, target)).toBe(token);
  expect(idp.received[0]?.form.get('audience')).toBe(as.origin);
  expect(as.received.map(({ method, form }) => [method, form.has('assertion')])).toEqual([
    ['GET', false],
    ['POST', true],
  ]);
  expect(as.received[1]?.path).toBe('/oauth/token');
});
