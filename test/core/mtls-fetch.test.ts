import { beforeAll, expect, test } from 'vitest';
import type { ClientCertificate } from '../../src/core/client-certificate.ts';
import { boundedFetch } from '../../src/core/http.ts';
import { createMtlsFetch } from '../../src/core/mtls-fetch.ts';
import {
  type Authority,
  createAuthority,
  startTlsLoopback,
  type TlsLoopback,
} from '../support/certificates.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { always, type Handler, json, never, startLoopback } from '../support/loopback.ts';

let authority: Authority;
let client: ClientCertificate;

beforeAll(async () => {
  authority = await createAuthority();
  client = { ...(await authority.client('agent-one')), ca: authority.cert };
});

/** A server that lets nobody in without a certificate of the authority. */
const startServer = async (handler: Handler = always({})): Promise<TlsLoopback> =>
  startTlsLoopback({ ...(await authority.server()), ca: authority.cert, rejectUnauthorized: true }, handler);

const fetchAs = (certificate: ClientCertificate = client) => createMtlsFetch(async () => certificate);

const bounded = (signal?: AbortSignal) =>
  boundedFetch({ fetch: fetchAs(), timeoutMs: 10_000, maxBytes: 100_000, signal });

test('a request arrives as it was made, with the client certificate', async () => {
  const server = await startServer((_request, response) =>
    json(response, { done: true }, { status: 201, headers: { 'x-answer': 'yes' } }),
  );
  const response = await fetchAs()(`${server.origin}/token?a=b`, {
    method: 'POST',
    headers: { 'x-asked': 'this' },
    body: new URLSearchParams({ grant: 'a b&c' }),
  });
  expect(response.status).toBe(201);
  expect(response.headers.get('x-answer')).toBe('yes');
  expect(await response.json()).toEqual({ done: true });
  const [request] = server.received;
  expect(request).toMatchObject({ method: 'POST', path: '/token?a=b', client: 'agent-one' });
  expect(request?.headers).toMatchObject({
    'content-type': 'application/x-www-form-urlencoded;charset=UTF-8',
    'content-length': '13',
    'x-asked': 'this',
    'accept-encoding': 'identity',
  });
  expect(request?.form.get('grant')).toBe('a b&c');
});

test.each<[string, RequestInit, string]>([
  ['nothing', {}, ''],
  ['a string', { method: 'POST', body: 'p\u00e4ss' }, 'p\u00e4ss'],
  ['bytes', { method: 'POST', body: Buffer.from('bytes') }, 'bytes'],
])('a body may be %s', async (_what, init, body) => {
  const server = await startServer();
  await fetchAs()(server.origin, init);
  expect(server.received).toMatchObject([{ method: init.method ?? 'GET', body }]);
});

test('one connection serves many requests, until the certificate is another', async () => {
  const server = await startServer();
  let now = client;
  const fetchLike = createMtlsFetch(async () => now);
  const ask = async (): Promise<void> => void (await (await fetchLike(server.origin, {})).text());
  await ask();
  await ask();
  now = { ...(await authority.client('agent-two')), ca: authority.cert };
  await ask();
  await ask();
  expect(server.received.map(({ client: name, connection }) => [name, connection])).toEqual([
    ['agent-one', 1],
    ['agent-one', 1],
    ['agent-two', 2],
    ['agent-two', 2],
  ]);
});

test('a request under way is not cut off when the certificate is replaced', async () => {
  let answer = (): void => {};
  const server = await startServer(({ path }, response) => {
    if (path === '/slow') answer = () => json(response, { slow: true });
    else json(response, {});
  });
  let now = client;
  const fetchLike = createMtlsFetch(async () => now);
  const arrived = server.arrived();
  const slow = fetchLike(`${server.origin}/slow`, {});
  await arrived;
  now = { ...(await authority.client('agent-two')), ca: authority.cert };
  await (await fetchLike(server.origin, {})).text();
  answer();
  expect(await (await slow).json()).toEqual({ slow: true });
});

test('a redirect is an answer like any other', async () => {
  const thief = await startServer();
  const server = await startServer((_request, response) =>
    response.writeHead(307, { location: `${thief.origin}/token` }).end(),
  );
  const response = await fetchAs()(server.origin, { method: 'POST', body: 'x', redirect: 'manual' });
  expect(response.status).toBe(307);
  expect(thief.received).toEqual([]);
});

test.each([204, 304])('an answer of status %i has no body', async (status) => {
  const server = await startServer((_request, response) => void response.writeHead(status).end());
  const response = await fetchAs()(server.origin, {});
  expect([response.status, response.body]).toEqual([status, null]);
});

test('a server that another authority certified is sent nothing', async () => {
  const other = await createAuthority('Other CA');
  const server = await startTlsLoopback({ ...(await other.server()), ca: other.cert }, always({}));
  const error = await failureOf(bounded()(server.origin, { method: 'POST', body: 'fake-subject-token' }));
  expect(error).toMatchObject({ code: 'sts_unreachable', failure: 'unavailable' });
  expect(error.message).toMatch(/\((UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN)\)$/);
  expect(server.received).toEqual([]);
});

test('a server that does not take the certificate is told as unreachable, with the reason', async () => {
  const other = await createAuthority('Other CA');
  const server = await startTlsLoopback(
    { ...(await authority.server()), ca: other.cert, rejectUnauthorized: true },
    always({}),
  );
  const error = await failureOf(bounded()(server.origin, { method: 'POST', body: 'fake-subject-token' }));
  expect(error).toMatchObject({ code: 'sts_unreachable', failure: 'unavailable' });
  expect(error.message).toMatch(/\((ERR_SSL_\w+|ECONNRESET|EPIPE)\)$/);
  expectNoLeak(error, [client.key, 'fake-subject-token']);
  expect(server.received).toEqual([]);
});

test('plain http is refused, on loopback too, since no certificate is shown there', async () => {
  const server = await startLoopback(always({}));
  const error = await failureOf(bounded()(`${server.origin}/token?key=value`, {}));
  expect(error).toMatchObject({ code: 'insecure_url', failure: 'misconfigured' });
  expect(error.message).toContain(server.origin);
  expect(error.message).toContain('https');
  expect(error.message).not.toContain('key=value');
  expect(server.received).toEqual([]);
});

test('a caller that leaves before the answer leaves for its own reason, and the connection is cut', async () => {
  const server = await startServer(never);
  const controller = new AbortController();
  const reason = new Error('enough');
  const [arrived, closed] = [server.arrived(), server.closed()];
  const asking = thrownBy(fetchAs()(server.origin, { signal: controller.signal }));
  await arrived;
  controller.abort(reason);
  expect(await asking).toBe(reason);
  await closed;
});

test('a caller that leaves in the middle of the answer cuts the connection', async () => {
  const server = await startServer((_request, response) => void response.writeHead(200).write('{'));
  const controller = new AbortController();
  const closed = server.closed();
  const response = await fetchAs()(server.origin, { signal: controller.signal });
  const reading = thrownBy(response.text());
  controller.abort(new Error('enough'));
  await reading;
  await closed;
});

test('a caller that has left sends nothing', async () => {
  const server = await startServer();
  const reason = new Error('enough');
  expect(await thrownBy(fetchAs()(server.origin, { signal: AbortSignal.abort(reason) }))).toBe(reason);
  await (await fetchAs()(`${server.origin}/later`, {})).text();
  expect(server.received.map(({ path }) => path)).toEqual(['/later']);
});

test('an answer without an end is given up at the largest size, and the connection is cut', async () => {
  const server = await startServer((_request, response) => {
    const more = (): unknown => response.write(Buffer.alloc(65_536, 'a'), more);
    more();
  });
  const closed = server.closed();
  const error = await failureOf(bounded()(server.origin, {}));
  expect(error).toMatchObject({ code: 'sts_invalid_response', status: 200 });
  await closed;
});

test('an answer that breaks off is no answer', async () => {
  const server = await startServer((_request, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{', () => response.destroy());
  });
  expect(await failureOf(bounded()(server.origin, {}))).toMatchObject({
    code: 'sts_unreachable',
    message: expect.stringContaining('(ECONNRESET)'),
  });
});

test('a status that no response can have is no answer', async () => {
  const server = await startServer((_request, response) => void response.writeHead(700).end());
  expect((await failureOf(bounded()(server.origin, {}))).code).toBe('sts_unreachable');
});

test('the certificate is asked for at each request, with the signal; what that throws is passed on', async () => {
  const problem = new Error('no certificate');
  const signals: unknown[] = [];
  const fetchLike = createMtlsFetch(async (signal) => {
    signals.push(signal);
    throw problem;
  });
  const { signal } = new AbortController();
  expect(await thrownBy(fetchLike('https://sts.example.com', { signal }))).toBe(problem);
  expect(signals).toEqual([signal]);
});
