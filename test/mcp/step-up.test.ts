// What becomes of a 403 insufficient_scope: RFC 6750 section 3.1.
import { describe, expect, test } from 'vitest';
import { runAs } from '../../src/index.ts';
import type { DelegatedFetchOptions } from '../../src/mcp/delegated-fetch.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { json } from '../support/loopback.ts';
import { granting } from '../support/sts.ts';
import { bareClient, type Scene, startScene } from './any-client.ts';
import { failure } from './support.ts';

const asks = (scope: string): string => `Bearer error="insufficient_scope", scope="${scope}"`;

/** A server whose calls need scopes beyond "read". */
async function scene(needed: string, more: Partial<DelegatedFetchOptions> = {}): Promise<Scene> {
  const at = await startScene({
    server: { stateless: true },
    fetch: { target: { audience: 'calendar', scope: 'read' }, stepUpScopes: ['write', 'delete'], ...more },
  });
  at.server.answer = ({ method, token }, response) => {
    const missing = needed.split(' ').filter((scope) => scope !== '' && !scopesOf(token).includes(scope));
    if (method !== 'tools/call' || missing.length === 0) return false;
    response.writeHead(403, { 'www-authenticate': asks(needed) }).end();
    return true;
  };
  return at;
}

const scopesOf = (token = ''): string[] =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).scope?.split(' ') ?? [];

const call = (at: Scene, who = at.alice): Promise<Response> =>
  runAs(who, () => bareClient(at.server.url, at.fetch).send('tools/call', { params: { name: 'whoami' } }));

const askedScopes = ({ sts }: Scene): (string | null)[] => sts.received.map(({ form }) => form.get('scope'));

describe('a 403 that asks for scopes', () => {
  test('which are allowed leads to one exchange with those of the target too, and one replay', async () => {
    const at = await scene('write');
    expect((await call(at)).status).toBe(200);
    expect(askedScopes(at)).toEqual(['read', 'read write']);
    expect(at.sts.received.map(({ form }) => form.get('audience'))).toEqual(['calendar', 'calendar']);
    expect(at.server.log()).toEqual(['tools/call alice 403', 'tools/call alice 200']);
    expect(at.server.executed).toEqual(['whoami alice']);
  });

  test('at the second call needs no exchange: both tokens are kept', async () => {
    const at = await scene('write');
    await call(at);
    expect((await call(at)).status).toBe(200);
    expect(askedScopes(at)).toEqual(['read', 'read write']);
  });

  test('in another order asks for the same token', async () => {
    const at = await scene('write delete');
    await call(at);
    at.server.refuse('tools/call', 403, { challenge: asks('delete write') });
    at.server.answer = undefined;
    expect((await call(at)).status).toBe(200);
    expect(at.sts.exchanges).toBe(2);
  });

  test('is no reason to give one user another’s token', async () => {
    const at = await scene('write');
    await Promise.all([call(at), call(at, at.bob), call(at), call(at, at.bob)]);
    expect(at.server.executed.toSorted()).toEqual([
      'whoami alice',
      'whoami alice',
      'whoami bob',
      'whoami bob',
    ]);
    expect(at.sts.exchanges).toBe(4);
  });

  test.each([
    ['none of which is allowed', 'admin', {}],
    ['of which one is not allowed', 'write admin', {}],
    ['where none is allowed', 'write', { stepUpScopes: undefined }],
    ['which the token has already', 'read', {}],
  ])('%s is told with them, without an exchange or a replay', async (_what, scope, options) => {
    const at = await scene('', options);
    at.server.answer = undefined;
    at.server.refuse('tools/call', 403, { challenge: asks(scope) });
    const error = await failure(call(at));
    expect(error).toMatchObject({
      code: 'insufficient_scope',
      failure: 'denied',
      status: 403,
      retryable: false,
    });
    expect(error.message).toContain(`"${scope}"`);
    expect(at.server.requests).toHaveLength(1);
    expect(askedScopes(at)).toEqual(['read']);
  });

  test('but names none is told, without an exchange or a replay', async () => {
    const at = await scene('');
    at.server.answer = undefined;
    at.server.refuse('tools/call', 403, { challenge: 'Bearer error="insufficient_scope"' });
    const error = await failure(call(at));
    expect(error).toMatchObject({ code: 'insufficient_scope' });
    expect(error.message).toContain('another scope');
    expect(at.sts.exchanges).toBe(1);
  });

  test('again after that is told: there is one step up and no more', async () => {
    const at = await scene('write');
    at.server.answer = undefined;
    at.server.refuse('tools/call', 403, { challenge: asks('write') });
    at.server.refuse('tools/call', 403, { challenge: asks('delete') });
    expect(await failure(call(at))).toMatchObject({ code: 'insufficient_scope' });
    expect(at.server.requests).toHaveLength(2);
    expect(askedScopes(at)).toEqual(['read', 'read write']);
  });

  test('which the STS refuses fails with what the STS said', async () => {
    const at = await scene('write');
    const grant = granting();
    at.sts.handle((request, response) => {
      if (request.form.get('scope') === 'read') grant(request, response);
      else json(response, { error: 'invalid_scope' }, { status: 400 });
    });
    expect(await failure(call(at))).toMatchObject({ code: 'sts_error', failure: 'denied' });
    expect(at.server.requests).toHaveLength(1);
  });

  test('and a 401 are each answered once: at most three requests, whichever comes first', async () => {
    for (const order of [
      [401, 403],
      [403, 401],
    ]) {
      const at = await scene('');
      at.server.answer = undefined;
      for (const status of order) at.server.refuse('tools/call', status, { challenge: challengeOf(status) });
      expect((await call(at)).status).toBe(200);
      at.server.requests.length = 0;
      for (const status of [...order, ...order]) {
        at.server.refuse('tools/call', status, { challenge: challengeOf(status) });
      }
      expect(await failure(call(at))).toMatchObject({ status: order[0] });
      expect(at.server.requests).toHaveLength(3);
      expect(at.server.executed).toHaveLength(1);
    }
  });

  test('is not followed for a body that cannot be sent twice', async () => {
    const at = await scene('write');
    at.server.answer = undefined;
    at.server.refuse('POST', 403, { challenge: asks('write') });
    const init = { method: 'POST', body: new Blob(['{}']).stream(), duplex: 'half' } as RequestInit;
    expect(await failure(runAs(at.alice, () => at.fetch(at.server.url, init)))).toMatchObject({
      status: 403,
    });
    expect(at.server.requests).toHaveLength(1);
  });

  test('is not repeated where it is the token that it names', async () => {
    const at = await scene('');
    await call(at);
    const token = at.server.requests[0]?.token ?? '';
    at.server.answer = undefined;
    at.server.refuse('tools/call', 403, { challenge: asks(token) });
    const error = await failure(call(at));
    expect(error.code).toBe('insufficient_scope');
    expectNoLeak(error, [token]);
  });
});

test('a 403 of another kind is told as a refusal, and the token stays', async () => {
  const at = await scene('');
  at.server.answer = undefined;
  for (const challenge of [undefined, 'Bearer error="access_denied", scope="write"']) {
    at.server.refuse('tools/call', 403, { ...(challenge && { challenge }) });
    expect(await failure(call(at))).toMatchObject({ code: 'server_rejected_token', status: 403 });
  }
  await call(at);
  expect(at.server.requests).toHaveLength(3);
  expect(at.sts.exchanges).toBe(1);
});

const challengeOf = (status: number): string =>
  status === 403 ? asks('write') : 'Bearer error="invalid_token"';
