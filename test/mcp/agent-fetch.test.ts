import { afterEach, describe, expect, test, vi } from 'vitest';
import { createAgentFetch } from '../../src/mcp/agent-fetch.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { expectNoLeak, renderings } from '../support/leaks.ts';
import { end, type StrictServer, startStrictServer } from './strict-server.ts';
import { createGate, failed, failure } from './support.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** A fetch for a server, with tokens that are told apart. */
async function scene(options: object = {}): Promise<{
  server: StrictServer;
  fetch: ReturnType<typeof createAgentFetch>;
  given: string[];
}> {
  const server = await startStrictServer({ open: 'nothing', stateless: true });
  const given: string[] = [];
  const agentCredential = (): string => {
    given.push(fakeJwt({ sub: 'agent', exp: seconds(Date.now()) + 300, n: given.length }));
    return given.at(-1) as string;
  };
  return { server, given, fetch: createAgentFetch({ url: server.url, agentCredential, ...options }) };
}

const post = (body = '{"method":"x","id":1}'): RequestInit => ({ method: 'POST', body });

describe('a request', () => {
  test('carries the agent’s own token, which is asked for once', async () => {
    const { server, fetch, given } = await scene({
      headers: { 'x-static': 'one', authorization: 'Bearer static' },
    });
    const init = { ...post(), headers: { Authorization: 'Bearer of-the-client' } };
    await Promise.all([
      fetch(server.url, init),
      fetch(new URL(server.url), init),
      fetch(new Request(server.url, init)),
    ]);
    expect(given).toHaveLength(1);
    expect(server.requests.map(({ token, body }) => [token, body])).toEqual(
      Array(3).fill([given[0], post().body]),
    );
    expect(server.requests[0]?.headers['x-static']).toBe('one');
  });

  test('to elsewhere is refused, and nothing is asked for', async () => {
    const { server, fetch, given } = await scene();
    for (const url of ['http://127.0.0.1:1/mcp', server.url.replace('/mcp', '/other')]) {
      expect((await failure(fetch(url))).code).toBe('url_not_pinned');
    }
    expect([given, server.requests]).toEqual([[], []]);
  });

  test('that is answered with a redirect fails', async () => {
    const { server, fetch } = await scene();
    server.answer = (_seen, response) => end(response, 307, { location: 'http://127.0.0.1:1/' });
    expect(await failure(fetch(server.url, post()))).toMatchObject({ code: 'server_failed', status: 307 });
  });

  test('whose credential cannot be had fails with that, and nothing is sent', async () => {
    const agentCredential = (): never => {
      throw new Error('SECRET-WORD');
    };
    const { server, fetch } = await scene({ agentCredential });
    const error = await failure(fetch(server.url, post()));
    expect(error.code).toBe('actor_unavailable');
    expect(server.requests).toEqual([]);
  });

  test('that is aborted fails with the caller’s reason', async () => {
    const { server, fetch } = await scene();
    const reason = new Error('too late');
    await expect(fetch(server.url, { ...post(), signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(server.requests).toEqual([]);
  });
});

describe('on 401', () => {
  /** As `scene()`, with a token that was asked for long enough ago to be asked for again. */
  const later = async (): ReturnType<typeof scene> => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const made = await scene();
    await made.fetch(made.server.url, post());
    vi.setSystemTime(Date.now() + 10_000);
    made.server.requests.length = 0;
    return made;
  };

  test('the credential is asked for once more, and the request made once more', async () => {
    const { server, fetch, given } = await later();
    server.refuse('x', 401);
    expect((await fetch(server.url, post())).status).toBe(200);
    expect(server.requests.map(({ token }) => token)).toEqual(given);
    expect(given).toHaveLength(2);
  });

  test('again, that is told: there is one replay and no more', async () => {
    const { server, fetch } = await later();
    server.refuse('x', 401, { times: 9 });
    const error = await failure(fetch(server.url, post()));
    expect(error).toMatchObject({ code: 'server_rejected_token', failure: 'denied', status: 401 });
    expect(server.requests).toHaveLength(2);
  });

  test('so soon after it was asked for, it is not asked for again', async () => {
    const { server, fetch, given } = await scene();
    server.refuse('x', 401);
    expect((await failure(fetch(server.url, post()))).status).toBe(401);
    expect([given.length, server.requests.length]).toEqual([1, 1]);
  });

  test('many requests at once ask for one other token, and each is made once more', async () => {
    const { server, fetch, given } = await later();
    const gate = createGate();
    server.answer = async ({ token }) => {
      if (token === given[0]) await gate.wait();
      return false;
    };
    server.revoke(given[0]);
    const asked = Array.from({ length: 10 }, () => fetch(server.url, post()));
    await gate.reached(10);
    gate.open();
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect([given.length, server.requests.length]).toEqual([2, 20]);
  });

  test('that comes late, the request is made once more with the token that others use already', async () => {
    const { server, fetch, given } = await later();
    const gate = createGate();
    server.answer = async ({ headers }) => {
      if (headers['x-late'] !== undefined && server.requests.length === 1) await gate.wait();
      return false;
    };
    const late = fetch(server.url, { ...post(), headers: { 'x-late': '1' } });
    await gate.reached(1);
    server.revoke(given[0]);
    expect((await fetch(server.url, post())).status).toBe(200);
    gate.open();
    expect((await late).status).toBe(200);
    expect(given).toHaveLength(2);
  });

  test('a body that cannot be sent twice is not', async () => {
    const { server, fetch } = await later();
    server.refuse('x', 401);
    const init = {
      method: 'POST',
      body: new Blob(['{"method":"x"}']).stream(),
      duplex: 'half',
    } as RequestInit;
    expect((await failure(fetch(server.url, init))).status).toBe(401);
    expect(server.requests).toHaveLength(1);
  });
});

describe('403', () => {
  test('is told, without another token', async () => {
    const { server, fetch, given } = await scene();
    server.refuse('x', 403, { challenge: 'Bearer error="insufficient_scope", scope="write"' });
    expect(await failure(fetch(server.url, post()))).toMatchObject({
      code: 'insufficient_scope',
      status: 403,
    });
    expect(given).toHaveLength(1);
  });

  test('that names the agent’s token as scope does not have it repeated', async () => {
    const { server, fetch } = await scene();
    let sent = '';
    server.answer = ({ token = '' }, response) => {
      sent = token;
      return end(response, 403, {
        'www-authenticate': `Bearer error="insufficient_scope", scope="${token}"`,
      });
    };
    expectNoLeak(await failure(fetch(server.url, post())), [sent]);
    expect(sent).not.toBe('');
  });
});

test('an error answer is handed on without the token', async () => {
  const { server, fetch } = await scene();
  server.answer = ({ token }, response) => end(response, 500, {}, `sent ${token}`);
  expect(await (await fetch(server.url, post())).text()).toBe('sent [redacted]');
});

test.each([
  ['no credential', { agentCredential: undefined }],
  ['a target', { target: 'calendar' }],
  ['step-up scopes', { stepUpScopes: 'read' }],
  ['an option that does not exist', { agentCredentials: () => '' }],
])('%s is a mistake', async (_what, options) => {
  const work = scene(options as object);
  expect(await failed(work)).toBeInstanceOf(TypeError);
});

test('a URL that is none is a mistake that is told without repeating it', async () => {
  for (const url of [
    'no-url-hunter2',
    'http://someone:hunter2@127.0.0.1:99999/',
    'http://someone:hunter2@127.0.0.1/',
  ]) {
    const error = await failed(scene({ url }));
    expect(error).toBeInstanceOf(TypeError);
    for (const text of renderings(error)) expect(text).not.toContain('hunter2');
  }
});
