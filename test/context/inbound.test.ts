import { createServer, request as httpRequest } from 'node:http';
import { createLocalJWKSet, createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { describe, expect, it, test, vi } from 'vitest';
import { currentDelegation } from '../../src/context/carrier.ts';
import { createInbound, type InboundOptions } from '../../src/context/inbound.ts';
import { startPlainBroker } from '../support/broker.ts';
import { thrownBy } from '../support/failure.ts';
import { HOSTS, listen, runsEnded } from '../support/inbound.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { startLoopback } from '../support/loopback.ts';
import { subjectJwt } from '../support/sts.ts';

const handle = () => `hello ${currentDelegation()?.subject.sub}`;

async function start(options: Partial<InboundOptions> = {}, host = HOSTS['node:http']) {
  const { broker } = await startPlainBroker();
  const handler = vi.fn(handle);
  const origin = await host(createInbound({ broker, verify: 'elsewhere', ...options }), handler);
  return { broker, origin, handler };
}

interface Answered {
  readonly status: number;
  readonly challenge: string | null;
  readonly body: string;
}

async function ask(origin: string, authorization?: string): Promise<Answered> {
  const response = await fetch(origin, { headers: authorization === undefined ? {} : { authorization } });
  return {
    status: response.status,
    challenge: response.headers.get('www-authenticate'),
    body: await response.text(),
  };
}

const INVALID = [401, 'invalid_token', 'the access token is malformed or not valid'] as const;
const EXPIRED = [401, 'invalid_token', 'the access token has expired'] as const;
const REQUEST = [
  400,
  'invalid_request',
  'the Authorization header must hold one bearer token, once',
] as const;
const NONE = [401, 'unauthorized', 'a bearer token is needed in the Authorization header'] as const;

const jwt = subjectJwt('alice');
const REFUSED = [
  ['no Authorization', undefined, NONE],
  ['an empty Authorization', '', NONE],
  ['another scheme', 'Basic YWxpY2U6c2VjcmV0', NONE],
  ['a scheme that begins like it', `Bearers ${jwt}`, NONE],
  ['a token without a scheme', jwt, NONE],
  ['the scheme alone', 'Bearer', REQUEST],
  ['two tokens', `Bearer ${jwt} ${jwt}`, REQUEST],
  ['two fields that were joined', `Bearer ${jwt}, Bearer ${jwt}`, REQUEST],
  ['two tokens that were joined', `Bearer ${jwt},${jwt}`, REQUEST],
  ['a token that is not a JWT', 'Bearer not-a-jwt-not-a-jwt', INVALID],
  ['a JWT whose signature is gone', `Bearer ${jwt.slice(0, jwt.lastIndexOf('.') + 1)}`, INVALID],
  ['a JWT without a subject', `Bearer ${fakeJwt({ exp: seconds(Date.now()) + 60 })}`, INVALID],
  ['a JWT that has expired', `Bearer ${fakeJwt({ sub: 'alice', exp: seconds(Date.now()) - 60 })}`, EXPIRED],
] as const;

describe.each(Object.entries(HOSTS))('on %s', (_, host) => {
  it.each(REFUSED)('%s is refused', async (_, authorization, [status, error, description]) => {
    const { broker, origin, handler } = await start({}, host);
    const answer = await ask(origin, authorization);
    const told = error === 'unauthorized' ? '' : ` error="${error}", error_description="${description}"`;
    expect(answer).toEqual({
      status,
      challenge: `Bearer${told}`,
      body: JSON.stringify({ error, error_description: description }),
    });
    if (authorization)
      expectNoLeak(
        answer,
        authorization
          .split(/[\s,]+/)
          .slice(1)
          .filter((each) => each.length > 8),
      );
    expect(handler).not.toHaveBeenCalled();
    expect(broker.stats().delegations).toBe(0);
  });

  it.each(['Bearer', 'bearer', 'BEARER', '  Bearer\t'])('a token behind "%s" is taken', async (scheme) => {
    const { origin } = await start({}, host);
    expect(await ask(origin, `${scheme} ${jwt}`)).toMatchObject({
      status: expect.any(Number),
      body: 'hello alice',
    });
  });

  it('two Authorization fields are refused, whichever of them is good', async () => {
    const { origin, handler } = await start({}, host);
    for (const fields of [
      [`Bearer ${jwt}`, `Bearer ${subjectJwt('bob')}`],
      [`Bearer ${jwt}`, 'Basic YWxpY2U6c2VjcmV0'],
    ]) {
      const status = await new Promise((resolve, reject) => {
        const asked = httpRequest(origin, (response) => resolve(response.resume().statusCode));
        asked.setHeader('authorization', fields).on('error', reject).end();
      });
      expect(status).toBe(400);
    }
    expect(handler).not.toHaveBeenCalled();
  });

  it('a token in the query or in the body is not taken', async () => {
    const { origin, handler } = await start({}, host);
    const body = new URLSearchParams({ access_token: jwt });
    const response = await fetch(`${origin}/?${body}`, { method: 'POST', body });
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect(handler).not.toHaveBeenCalled();
  });

  it('says 503, and when to come again, when too many runs are under way', async () => {
    const { broker } = await startPlainBroker({ maxRuns: 1 });
    const kept = broker.begin({ subjectToken: jwt });
    const onError = vi.fn();
    const origin = await host(createInbound({ broker, verify: 'elsewhere', onError }), handle);
    const response = await fetch(origin, { headers: { authorization: `Bearer ${jwt}` } });
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(response.headers.get('www-authenticate')).toBeNull();
    expect(await response.json()).toMatchObject({ error: 'temporarily_unavailable' });
    expect(onError).not.toHaveBeenCalled();
    broker.end(kept);
    expect((await ask(origin, `Bearer ${jwt}`)).body).toBe('hello alice');
  });

  it('a broker that was closed is a 503, and is told of', async () => {
    const onError = vi.fn(() => {
      throw new Error('the listener failed');
    });
    const { broker, origin } = await start({ onError }, host);
    broker.close();
    expect((await ask(origin, `Bearer ${jwt}`)).status).toBe(503);
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(TypeError));
  });
});

test('the challenge says where the metadata is, the realm and the scope', async () => {
  const { origin } = await start({
    realm: 'assistant',
    scope: 'chat read',
    resourceMetadata: new URL('https://agent.example.com/.well-known/oauth-protected-resource?a="b'),
  });
  const parameters =
    'realm="assistant", scope="chat read", ' +
    'resource_metadata="https://agent.example.com/.well-known/oauth-protected-resource?a=%22b"';
  expect((await ask(origin)).challenge).toBe(`Bearer ${parameters}`);
  const [, error, description] = INVALID;
  expect((await ask(origin, 'Bearer x')).challenge).toBe(
    `Bearer ${parameters}, error="${error}", error_description="${description}"`,
  );
});

test('a refusal is not to be kept by a cache', async () => {
  const { origin } = await start();
  const { headers } = await fetch(origin);
  expect([headers.get('cache-control'), headers.get('content-type')]).toEqual([
    'no-store',
    'application/json',
  ]);
});

test.each([
  [{ verify: undefined }, /verify/],
  [{ verify: 'no' }, /verify/],
  [{ broker: undefined }, /broker/],
  [{ realm: 'a "b"' }, /realm/],
  [{ realm: 'line\nbreak' }, /realm/],
  [{ scope: 'back\\slash' }, /scope/],
  [{ resourceMetadata: '/.well-known' }, /resourceMetadata/],
  [{ resourceMetadata: 'data:,x' }, /resourceMetadata/],
  [{ sesion: () => 'a' }, /sesion/],
])('the options %o are a mistake that is named', async (options, named) => {
  const { broker } = await startPlainBroker();
  const create = () => createInbound({ broker, verify: 'elsewhere', ...options } as InboundOptions);
  const error = await thrownBy(create);
  expect(error).toBeInstanceOf(TypeError);
  expect((error as Error).message).toMatch(named);
});

describe('verification by jose', () => {
  const issuer = 'https://idp.example.com';
  const claims = { iss: issuer, aud: 'assistant', sub: 'alice', exp: seconds(Date.now()) + 300 };

  async function keys() {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' };
    const sign = (more: object = {}, kid = 'k1') =>
      new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey);
    return { jwks: { keys: [jwk] }, sign };
  }

  test('only a token that it takes gets in', async () => {
    const [ours, theirs] = [await keys(), await keys()];
    const keySet = createLocalJWKSet(ours.jwks);
    const onError = vi.fn();
    const { origin, handler, broker } = await start({
      onError,
      verify: (token) => jwtVerify(token, keySet, { issuer, audience: 'assistant' }),
    });
    const bearer = async (token: Promise<string> | string) => ask(origin, `Bearer ${await token}`);
    expect(await bearer(ours.sign())).toMatchObject({ status: 200, body: 'hello alice' });
    handler.mockClear();
    const bad = [
      theirs.sign(),
      ours.sign({}, 'k2'),
      ours.sign({ aud: 'calendar' }),
      ours.sign({ iss: 'https://thief.example.com' }),
      fakeJwt(claims),
      'not-a-jwt',
    ];
    const [, , description] = INVALID;
    for (const token of bad) {
      const answer = await bearer(token);
      expect(answer.status).toBe(401);
      expect(answer.body).toContain(description);
    }
    const expired = await bearer(ours.sign({ exp: seconds(Date.now()) - 60 }));
    expect([expired.status, expired.body]).toEqual([401, expect.stringContaining(EXPIRED[2])]);
    expect(handler).not.toHaveBeenCalled();
    expect(onError).not.toHaveBeenCalled();
    expect(broker.stats().delegations).toBe(0);
  });

  test('a token that names none of several keys is refused, which anybody could send', async () => {
    const [ours, theirs] = [await keys(), await keys()];
    const keySet = createLocalJWKSet({ keys: [...ours.jwks.keys, ...theirs.jwks.keys] });
    const onError = vi.fn();
    const { origin, handler } = await start({ onError, verify: (token) => jwtVerify(token, keySet) });
    const [header, ...rest] = (await ours.sign()).split('.');
    const unnamed = JSON.stringify({
      ...JSON.parse(Buffer.from(header ?? '', 'base64url').toString()),
      kid: undefined,
    });
    const token = [Buffer.from(unnamed).toString('base64url'), ...rest].join('.');
    expect((await ask(origin, `Bearer ${token}`)).status).toBe(401);
    expect(handler).not.toHaveBeenCalled();
    expect(onError).not.toHaveBeenCalled();
  });

  test('keys that cannot be had are a 503, not the fault of the token', async () => {
    const { sign } = await keys();
    const jwks = await startLoopback((_request, response) => response.writeHead(500).end());
    const onError = vi.fn();
    for (const url of [`${jwks.origin}/jwks`, 'http://127.0.0.1:1/jwks']) {
      const keySet = createRemoteJWKSet(new URL(url));
      const { origin, handler } = await start({ onError, verify: (token) => jwtVerify(token, keySet) });
      const answer = await ask(origin, `Bearer ${await sign()}`);
      expect(answer).toMatchObject({ status: 503, challenge: null });
      expect(handler).not.toHaveBeenCalled();
    }
    expect(onError).toHaveBeenCalledTimes(2);
  });
});

describe('verification by something else', () => {
  const failing = (more: object) => () => {
    throw Object.assign(new Error('no'), more);
  };

  test.each([
    ['says false', () => false],
    ['says nothing', async () => undefined],
    ['says null', async () => null],
    // RFC 7662 section 2.2: what introspection says of a token that is none.
    ['says `active: false`', async () => ({ active: false })],
    ['says `valid: false`', () => ({ valid: false })],
    ['says `ok: false`', () => ({ ok: false, sub: 'alice' })],
    ['returns an error', () => new Error('no')],
    ['returns a response, of whatever status', async () => Response.json({ active: false })],
    ['throws `code: invalid_token`', failing({ code: 'invalid_token' })],
    ['throws `errorCode: invalid_token`', failing({ errorCode: 'invalid_token' })],
  ])('one that %s refuses the token', async (_, verify) => {
    const { origin, handler } = await start({ verify });
    expect((await ask(origin, `Bearer ${jwt}`)).status).toBe(401);
    expect(handler).not.toHaveBeenCalled();
  });

  test.each([
    ['an error without a code', failing({})],
    ['an error with a code of its own', failing({ code: 'ECONNREFUSED' })],
    ['something that is no error', () => Promise.reject('no')],
  ])('one that throws %s is a 503', async (_, verify) => {
    const onError = vi.fn();
    const { origin, handler } = await start({ verify, onError });
    expect((await ask(origin, `Bearer ${jwt}`)).status).toBe(503);
    expect(onError).toHaveBeenCalledOnce();
    expect(handler).not.toHaveBeenCalled();
  });

  test.each([
    ['true', () => true],
    ['claims', async () => ({ payload: { sub: 'alice' }, protectedHeader: {} })],
    ['`active: true`', async () => ({ active: true, sub: 'alice' })],
  ])('one that says %s lets it in', async (_, verify) => {
    const { origin } = await start({ verify });
    expect(await ask(origin, `Bearer ${jwt}`)).toMatchObject({ status: 200, body: 'hello alice' });
  });

  test('it is given the token and the request', async () => {
    const verify = vi.fn(() => true);
    const { broker } = await startPlainBroker();
    const request = new Request('https://agent.example.com/', {
      headers: { authorization: `Bearer ${jwt}` },
    });
    await createInbound({ broker, verify }).web(() => new Response())(request);
    expect(verify).toHaveBeenCalledExactlyOnceWith(jwt, request);
  });

  test('an answer that was given while the token was verified is left as it is', async () => {
    const { broker } = await startPlainBroker();
    let refuse = (): void => {};
    const refused = new Promise<false>((resolve) => {
      refuse = () => resolve(false);
    });
    const inbound = createInbound({ broker, verify: () => refused });
    const server = createServer((request, response) => {
      inbound.node(request, response, () => {});
      response.writeHead(504).end('too late');
      refuse();
    });
    const answer = await ask(await listen(server), `Bearer ${jwt}`);
    expect([answer.status, answer.body]).toEqual([504, 'too late']);
  });
});

test('requests of one session and token share their run group, others do not', async () => {
  const { broker } = await startPlainBroker();
  const groups: (string | undefined)[] = [];
  const session = (request: Request) => request.headers.get('x-session') ?? undefined;
  const handler = createInbound({ broker, verify: 'elsewhere', session }).web((_, { group }) => {
    groups.push(group);
    return new Response('open until it is read');
  });
  const responses = [];
  for (const [token, name] of [
    [jwt, 's1'],
    [jwt, 's1'],
    [jwt, 's2'],
    [jwt, undefined],
    [jwt, undefined],
    [subjectJwt('bob'), 's1'],
  ] as const) {
    const headers = { authorization: `Bearer ${token}`, ...(name && { 'x-session': name }) };
    responses.push(await handler(new Request('https://agent.example.com/', { headers })));
  }
  expect(groups[0]).toBe(groups[1]);
  expect(new Set(groups).size).toBe(5);
  const ended = runsEnded(broker, 5);
  await Promise.all(responses.map((response) => response.text()));
  await ended;
});

test('a session that cannot be named is a 503, and is told of', async () => {
  const onError = vi.fn();
  const session = () => 1 as unknown as string;
  const { origin, handler } = await start({ session, onError });
  expect((await ask(origin, `Bearer ${jwt}`)).status).toBe(503);
  expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(TypeError));
  expect(handler).not.toHaveBeenCalled();
});
