import { AsyncResource } from 'node:async_hooks';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Broker, type Delegation, runAs } from '../../src/index.ts';
import { createDelegatedFetch, type DelegatedFetch } from '../../src/mcp/delegated-fetch.ts';
import { defineMcpServer } from '../../src/mcp/server.ts';
import type { DevelopmentSts } from '../../src/sts/index.ts';
import { renderings } from '../support/leaks.ts';
import {
  AGENT,
  type Answer,
  begin,
  brokerFor,
  claimsOf,
  createGate,
  exchanged,
  failure,
  type Recorder,
  startRecorder,
  startSts,
} from './support.ts';

let sts: DevelopmentSts;
let broker: Broker;
let alice: Delegation;

beforeEach(async () => {
  sts = await startSts();
  broker = brokerFor(sts);
  alice = await begin({ sts, broker }, 'alice');
});

/** A delegated fetch for `/mcp` of a recorder, and that recorder. */
async function connect(answer?: Answer): Promise<{ server: Recorder; fetch: DelegatedFetch; url: string }> {
  const server = await startRecorder(answer);
  const url = `${server.origin}/mcp`;
  return { server, url, fetch: createDelegatedFetch({ broker, url, target: 'calendar' }) };
}

/** Answers 401 to so many requests, and then 200. */
const refuseFirst =
  (count: number): Answer =>
  (_seen, response) => {
    count -= 1;
    response.writeHead(count >= 0 ? 401 : 200).end('answer');
  };

/** What is told of a token that stays refused. */
const REJECTED = { code: 'server_rejected_token', failure: 'denied', status: 401 };

const tokensAt = ({ requests }: Recorder): (string | undefined)[] =>
  requests.map(({ headers }) => headers.authorization);

describe('a request', () => {
  test('carries the caller’s own token for this server, which is exchanged once', async () => {
    const { server, fetch, url } = await connect();
    await runAs(alice, async () => {
      expect(await (await fetch(url)).text()).toBe('ok');
      await fetch(`${url}/sub?x=1`, { method: 'POST', body: 'hello' });
    });
    expect(server.requests.map(({ method, path, body }) => [method, path, body])).toEqual([
      ['GET', '/mcp', ''],
      ['POST', '/mcp/sub?x=1', 'hello'],
    ]);
    for (const seen of server.requests) {
      expect(claimsOf(seen)).toMatchObject({ sub: 'alice', aud: 'calendar', act: { sub: AGENT } });
    }
    expect(exchanged(sts)).toEqual(['alice calendar issued']);
  });

  test('is made for whom the option says, which is asked at each request', async () => {
    const server = await startRecorder();
    const bob = await begin({ sts, broker }, 'bob');
    const queue = [alice, bob];
    const fetch = createDelegatedFetch({
      broker,
      url: server.origin,
      target: 'calendar',
      delegation: () => queue.shift(),
    });
    await runAs(alice, async () => {
      await fetch(server.origin);
      await fetch(server.origin);
    });
    expect(server.requests.map((seen) => claimsOf(seen)?.sub)).toEqual(['alice', 'bob']);
  });

  test('of nobody is refused, and nothing is sent', async () => {
    const { server, fetch, url } = await connect();
    expect(await failure(fetch(url))).toMatchObject({ code: 'delegation_missing', failure: 'misconfigured' });
    expect([server.requests, exchanged(sts)]).toEqual([[], []]);
  });

  test('whose token cannot be had is refused, and nothing is sent', async () => {
    const { server, fetch, url } = await connect();
    sts.inject({ kind: 'status', status: 503 });
    const error = await failure(runAs(alice, () => fetch(url)));
    expect(error).toMatchObject({ code: 'sts_error', failure: 'unavailable', status: 503 });
    expect(server.requests).toEqual([]);
  });

  test('of a run that has ended is refused, although its token was kept a moment ago', async () => {
    const { server, fetch, url } = await connect();
    await runAs(alice, () => fetch(url));
    broker.end(alice);
    expect(await failure(runAs(alice, () => fetch(url)))).toMatchObject({ code: 'delegation_ended' });
    expect(server.requests).toHaveLength(1);
  });

  test('that is aborted while the token is exchanged fails with the caller’s reason, and nothing is sent', async () => {
    const { server, fetch, url } = await connect();
    sts.inject({ kind: 'latency', ms: 60_000 });
    const reason = new Error('the user has left');
    const controller = new AbortController();
    const asked = runAs(alice, () => fetch(url, { signal: controller.signal }));
    controller.abort(reason);
    await expect(asked).rejects.toBe(reason);
    expect(server.requests).toEqual([]);
  });

  test.each(['Authorization', 'authorization', 'AUTHORIZATION'])(
    'overrides %s from elsewhere, so that there is one value and it is the caller’s',
    async (name) => {
      const server = await startRecorder();
      const fetch = createDelegatedFetch({
        broker,
        url: server.origin,
        target: 'calendar',
        headers: { [name]: 'Bearer static', 'X-Static': 'one' },
      });
      const forms = [
        { [name]: 'Bearer inherited' },
        [[name, 'Bearer a']],
        new Headers({ [name]: 'Bearer b' }),
      ];
      await runAs(alice, async () => {
        for (const headers of forms) await fetch(server.origin, { headers: headers as Headers });
        await fetch(new Request(server.origin, { headers: { [name]: 'Bearer request' } }));
      });
      expect(server.requests).toHaveLength(4);
      for (const seen of server.requests) {
        expect(claimsOf(seen)).toMatchObject({ sub: 'alice' });
        expect(seen.headers.authorization).not.toMatch(/,|static|inherited|request/);
        expect(seen.headers['x-static']).toBe('one');
      }
    },
  );

  test('keeps the Request’s own fields when the second argument leaves them undefined', async () => {
    const { server, fetch, url } = await connect();
    const request = new Request(url, { method: 'POST', body: 'hello', headers: { 'x-own': 'yes' } });
    // What a wrapper passes on that was given nothing: to fetch, undefined is the same as absent.
    const nothing = { method: undefined, headers: undefined, body: undefined, signal: undefined };
    await runAs(alice, () => fetch(request, nothing as unknown as RequestInit));
    expect(server.requests).toMatchObject([{ method: 'POST', body: 'hello', headers: { 'x-own': 'yes' } }]);
  });
});

describe('the URL', () => {
  test.each([
    ['another path', '/other'],
    ['a path that only begins alike', '/mcp-admin'],
    ['a path that begins alike after the prefix', '/mcpx/tools'],
    ['the parent', '/'],
    ['a way out by dots', '/mcp/../admin'],
    ['a way out by encoded dots', '/mcp/%2e%2e/admin'],
    ['a way out by a backslash', '/mcp/..\\admin'],
    ['a parent with a path parameter', '/mcp/..;/admin'],
    ['an encoded slash', '/mcp/..%2fadmin'],
    ['an encoded slash in capitals', '/mcp/..%2Fadmin'],
    ['an encoded backslash', '/mcp/..%5cadmin'],
    ['an encoded slash in place of the boundary', '/mcp%2fadmin'],
    ['another case', '/MCP'],
  ])('with %s is refused, and nothing is sent or exchanged', async (_what, path) => {
    const { server, fetch } = await connect();
    const error = await failure(runAs(alice, () => fetch(`${server.origin}${path}`)));
    expect(error).toMatchObject({ code: 'url_not_pinned', failure: 'misconfigured' });
    expect(server.requests).toEqual([]);
  });

  test('on another port of the same host is refused, and nothing reaches that port', async () => {
    const { fetch, url } = await connect();
    const thief = await startRecorder();
    const elsewhere = url.replace(/:\d+/, `:${new URL(thief.origin).port}`);
    expect(await failure(runAs(alice, () => fetch(elsewhere)))).toMatchObject({ code: 'url_not_pinned' });
    expect(thief.requests).toEqual([]);
  });

  test('with another name of the same host is refused', async () => {
    const { server, fetch, url } = await connect();
    const error = await failure(runAs(alice, () => fetch(url.replace('127.0.0.1', 'localhost'))));
    expect(error).toMatchObject({ code: 'url_not_pinned' });
    expect(server.requests).toEqual([]);
  });

  test('with a user name is refused by a coded error that does not repeat it', async () => {
    const { server, fetch, url } = await connect();
    const error = await failure(runAs(alice, () => fetch(url.replace('//', '//someone:hunter2@'))));
    expect(error).toMatchObject({ code: 'url_not_pinned' });
    expect(error.message).not.toMatch(/someone|hunter2/);
    expect(server.requests).toEqual([]);
  });

  test('may have a query, a trailing slash and segments below', async () => {
    const { server, fetch, url } = await connect();
    await runAs(alice, async () => {
      for (const more of ['', '?a=b', '/', '/x/y', '/x%20y']) await fetch(url + more);
    });
    expect(server.requests.map(({ path }) => path)).toEqual([
      '/mcp',
      '/mcp?a=b',
      '/mcp/',
      '/mcp/x/y',
      '/mcp/x%20y',
    ]);
  });

  test('is compared with its default port filled in, and never across schemes', async () => {
    // An https server with a known name is not to be had here, so what would be sent is written down.
    const sent: string[] = [];
    const server = defineMcpServer({
      url: 'https://mcp.example/mcp',
      target: 'calendar',
      fetch: async (url) => {
        sent.push(url);
        return new Response();
      },
    });
    await server.fetch('https://mcp.example:443/mcp', {});
    for (const url of [
      'http://mcp.example/mcp',
      'http://mcp.example:443/mcp',
      'https://mcp.example:8443/mcp',
      'https://mcp.example.evil/mcp',
      'https://evil/mcp?https://mcp.example/mcp',
    ]) {
      expect(await failure(server.fetch(url, {})), url).toMatchObject({ code: 'url_not_pinned' });
    }
    expect(sent).toEqual(['https://mcp.example:443/mcp']);
  });
});

describe('a server', () => {
  test('in plain http off loopback is refused when it is defined, unless that was allowed by name', () => {
    const options = { broker, url: 'http://mcp.example/mcp', target: 'calendar' };
    expect(() => createDelegatedFetch(options)).toThrow(expect.objectContaining({ code: 'insecure_url' }));
    expect(() => createDelegatedFetch({ ...options, dangerouslyAllowInsecureHttp: true })).not.toThrow();
  });

  test.each(['http://localhost:1/', 'http://[::1]:1/', 'http://127.9.9.9/', 'https://mcp.example/'])(
    'at %s needs no permission',
    (url) => {
      expect(() => createDelegatedFetch({ broker, url, target: 'calendar' })).not.toThrow();
    },
  );

  test.each(['no-url', 'ftp://127.0.0.1/', 'http://user:password@127.0.0.1/'])(
    'at %s is a mistake that is told without repeating it',
    (url) => {
      const define = (): unknown => createDelegatedFetch({ broker, url, target: 'calendar' });
      expect(define).toThrow(TypeError);
      expect(define).not.toThrow(/password@/);
    },
  );

  test('without a target is a mistake', () => {
    expect(() => createDelegatedFetch({ broker, url: 'https://mcp.example/', target: {} })).toThrow(
      TypeError,
    );
  });
});

describe('a redirect', () => {
  const SECRET = 'what the user said';

  test.each([301, 302, 303, 307, 308])(
    'with %i to another port is an error, and nothing reaches the thief',
    async (status) => {
      const thief = await startRecorder();
      const { fetch, url } = await connect((_seen, response) => {
        response.writeHead(status, { location: `${thief.origin}/mcp` }).end();
      });
      const init = { method: 'POST', body: SECRET, headers: { dpop: 'proof' } };
      const error = await failure(runAs(alice, () => fetch(url, { ...init, redirect: 'follow' })));
      expect(error).toMatchObject({ code: 'server_failed', failure: 'misconfigured', status });
      expect(thief.requests).toEqual([]);
    },
  );

  test.each([301, 302, 307, 308])(
    'with %i to another path of the same origin is an error that does not repeat the place',
    async (status) => {
      const { server, fetch, url } = await connect((_seen, response) => {
        response.writeHead(status, { location: '/steal' }).end();
      });
      const error = await failure(runAs(alice, () => fetch(url, { method: 'POST', body: SECRET })));
      expect(error).toMatchObject({ code: 'server_failed', status });
      for (const text of renderings(error)) expect(text).not.toContain('steal');
      expect(server.requests.map(({ path }) => path)).toEqual(['/mcp']);
    },
  );

  test('is not followed for a Request that asks for it either', async () => {
    const thief = await startRecorder();
    const { fetch, url } = await connect((_seen, response) => {
      response.writeHead(307, { location: thief.origin }).end();
    });
    const request = new Request(url, { method: 'POST', body: SECRET, redirect: 'follow' });
    expect((await failure(runAs(alice, () => fetch(request)))).status).toBe(307);
    expect(thief.requests).toEqual([]);
  });

  test('that a fetch of the user’s own has followed all the same is an error too', async () => {
    const other = await startRecorder();
    const server = await startRecorder((_seen, response) => {
      response.writeHead(302, { location: other.origin }).end();
    });
    const url = server.origin;
    const follow = (to: string, init: RequestInit) => globalThis.fetch(to, { ...init, redirect: 'follow' });
    const fetch = createDelegatedFetch({ broker, url, target: 'calendar', fetch: follow });
    expect((await failure(runAs(alice, () => fetch(url)))).code).toBe('server_failed');
  });

  test('in answer to the replay is not followed', async () => {
    const thief = await startRecorder();
    let asked = 0;
    const { fetch, url } = await connect((_seen, response) => {
      asked += 1;
      if (asked === 1) response.writeHead(401).end();
      else response.writeHead(307, { location: thief.origin }).end();
    });
    const error = await failure(runAs(alice, () => fetch(url, { method: 'POST', body: SECRET })));
    expect([error.status, asked]).toEqual([307, 2]);
    expect(thief.requests).toEqual([]);
  });

  test('is none of 304: that is an answer to a condition', async () => {
    const { fetch, url } = await connect((_seen, response) => void response.writeHead(304).end());
    expect((await runAs(alice, () => fetch(url))).status).toBe(304);
  });
});

describe('on 401', () => {
  const bytes = new TextEncoder().encode('the same body');
  const bodies: [string, (url: string) => [string | Request, RequestInit?]][] = [
    ['a string', (url) => [url, { method: 'POST', body: 'the same body' }]],
    ['bytes', (url) => [url, { method: 'POST', body: bytes }]],
    ['a buffer', (url) => [url, { method: 'POST', body: bytes.buffer }]],
    ['a blob', (url) => [url, { method: 'POST', body: new Blob([bytes]) }]],
    ['a Request', (url) => [new Request(url, { method: 'POST', body: 'the same body' })]],
    [
      'a Request with a stream',
      (url) => [new Request(url, { method: 'POST', body: streamOf(bytes), duplex: 'half' } as RequestInit)],
    ],
  ];

  test.each(bodies)('one more token is exchanged and the request sent once more: %s', async (_what, make) => {
    const { server, fetch, url } = await connect(refuseFirst(1));
    const response = await runAs(alice, () => fetch(...make(url)));
    expect([response.status, await response.text()]).toEqual([200, 'answer']);
    expect(server.requests.map(({ method, body }) => `${method} ${body}`)).toEqual([
      'POST the same body',
      'POST the same body',
    ]);
    const [first, second] = tokensAt(server);
    expect(first).not.toBe(second);
    expect(exchanged(sts)).toEqual(['alice calendar issued', 'alice calendar issued']);
  });

  test('the new token is kept: the next request needs no exchange', async () => {
    const { server, fetch, url } = await connect(refuseFirst(1));
    await runAs(alice, () => fetch(url));
    await runAs(alice, () => fetch(url));
    const [, second, third] = tokensAt(server);
    expect(third).toBe(second);
    expect(sts.exchanges).toHaveLength(2);
  });

  test('again, it is an error: there is one replay and no more', async () => {
    const { server, fetch, url } = await connect(refuseFirst(5));
    expect(await failure(runAs(alice, () => fetch(url)))).toMatchObject(REJECTED);
    expect(server.requests).toHaveLength(2);
    expect(sts.exchanges).toHaveLength(2);
  });

  test('a body that was streamed cannot be sent twice, so the refusal is told', async () => {
    const { server, fetch, url } = await connect(refuseFirst(1));
    const init = { method: 'POST', body: streamOf(bytes), duplex: 'half' } as RequestInit;
    expect(await failure(runAs(alice, () => fetch(url, init)))).toMatchObject(REJECTED);
    expect(server.requests.map(({ body }) => body)).toEqual(['the same body']);
  });

  test('of a streamed body the refused token is dropped all the same: the next request has another', async () => {
    const { server, fetch, url } = await connect(refuseFirst(1));
    const init = { method: 'POST', body: streamOf(bytes), duplex: 'half' } as RequestInit;
    await failure(runAs(alice, () => fetch(url, init)));
    expect((await runAs(alice, () => fetch(url))).status).toBe(200);
    const [first, second] = tokensAt(server);
    expect(server.requests).toHaveLength(2);
    expect(second).not.toBe(first);
  });

  test('a body that is generated is never replayed empty', async () => {
    const { server, fetch, url } = await connect(refuseFirst(1));
    async function* generate(): AsyncGenerator<Uint8Array> {
      yield bytes;
    }
    const init = { method: 'POST', body: generate(), duplex: 'half' } as unknown as RequestInit;
    await runAs(alice, () => fetch(url, init)).catch(() => {});
    expect(server.requests.map(({ body }) => body).filter((body) => body !== 'the same body')).toEqual([]);
  });

  test('with no other token to be had the call fails, and is not replayed', async () => {
    const { server, fetch, url } = await connect((_seen, response) => {
      sts.inject({ kind: 'status', status: 503 });
      response.writeHead(401).end();
    });
    expect(await failure(runAs(alice, () => fetch(url)))).toMatchObject({ code: 'sts_error', status: 503 });
    expect(server.requests).toHaveLength(1);
  });

  test('ten requests at once have one exchange between them, and each its one replay', async () => {
    const gate = createGate();
    let first: string | undefined;
    const { server, fetch, url } = await connect(async (seen, response) => {
      first ??= seen.headers.authorization;
      const refused = seen.headers.authorization === first;
      if (refused) await gate.wait();
      response.writeHead(refused ? 401 : 200).end();
    });
    const asked = Array.from({ length: 10 }, () => runAs(alice, () => fetch(url)));
    await gate.reached(10);
    gate.open();
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(server.requests).toHaveLength(20);
    expect(new Set(tokensAt(server)).size).toBe(2);
    expect(sts.exchanges).toHaveLength(2);
  });

  test('that comes late, a newer token which others use already is left alone', async () => {
    const late = createGate();
    const { server, fetch, url } = await connect(async ({ path }, response) => {
      if (path === '/mcp/late' && server.requests.filter((seen) => seen.path === path).length === 1) {
        await late.wait();
        response.writeHead(401).end();
      } else response.writeHead(server.requests.length === 2 ? 401 : 200).end();
    });
    const slow = runAs(alice, () => fetch(`${url}/late`));
    await late.reached(1);
    await runAs(alice, () => fetch(url));
    late.open();
    expect((await slow).status).toBe(200);
    expect(sts.exchanges).toHaveLength(2);
  });

  test('another user’s token stays', async () => {
    const bob = await begin({ sts, broker }, 'bob');
    const { fetch, url } = await connect((seen, response) => {
      const refused = claimsOf(seen)?.sub === 'alice' && sts.exchanges.length < 3;
      response.writeHead(refused ? 401 : 200).end();
    });
    await runAs(bob, () => fetch(url));
    expect((await runAs(alice, () => fetch(url))).status).toBe(200);
    await runAs(bob, () => fetch(url));
    expect(exchanged(sts)).toEqual(['alice calendar issued', 'alice calendar issued', 'bob calendar issued']);
  });
});

test('403 and 500 are no reason to ask for another token: one is told, the other handed back', async () => {
  const { server, fetch, url } = await connect(({ path }, response) => {
    response.writeHead(Number(path.slice(-3))).end();
  });
  const refused = await failure(runAs(alice, () => fetch(`${url}/403`)));
  expect(refused).toMatchObject({ code: 'server_rejected_token', failure: 'denied', status: 403 });
  expect((await runAs(alice, () => fetch(`${url}/500`))).status).toBe(500);
  expect(server.requests).toHaveLength(2);
  expect(sts.exchanges).toHaveLength(1);
});

test('a server that cannot be reached is told by code, with no token in the error', async () => {
  const http = createServer();
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  await new Promise((resolve) => http.close(resolve));
  const url = `http://127.0.0.1:${port}/mcp`;
  const fetch = createDelegatedFetch({ broker, url, target: 'calendar' });
  const error = await failure(runAs(alice, () => fetch(url)));
  expect(error).toMatchObject({ code: 'server_unreachable', failure: 'unavailable', retryable: true });
  for (const text of renderings(error)) expect(text).not.toMatch(/eyJ/);
});

test('two users at once through one fetch are never mixed up', async () => {
  const gate = createGate();
  const { server, fetch, url } = await connect(async (_seen, response) => {
    await gate.wait();
    response.end();
  });
  const bob = await begin({ sts, broker }, 'bob');
  const asked = Array.from({ length: 20 }, (_, index) =>
    runAs(index % 2 === 0 ? alice : bob, () => fetch(`${url}/${index % 2 === 0 ? 'alice' : 'bob'}`)),
  );
  await gate.reached(20);
  gate.open();
  await Promise.all(asked);
  for (const seen of server.requests) expect(`/mcp/${claimsOf(seen)?.sub}`).toBe(seen.path);
  expect(exchanged(sts)).toEqual(['alice calendar issued', 'bob calendar issued']);
});

describe('a job that waits in a queue until another user’s has ended', () => {
  type Job = () => Promise<unknown>;

  /** A queue of the usual kind: one job at a time, and whoever has finished starts the next. */
  function createQueue(): (job: Job) => Promise<void> {
    const waiting: (() => void)[] = [];
    let busy = false;
    return (job) =>
      new Promise((resolve, reject) => {
        const run = (): void => {
          busy = true;
          void job()
            .then(() => resolve(), reject)
            .finally(() => {
              busy = false;
              waiting.shift()?.();
            });
        };
        if (busy) waiting.push(run);
        else run();
      });
  }

  /** Queues a job for Alice and one for Bob, and tells as whom each path was called. */
  async function queued(jobOf: (who: Delegation, path: string) => Job, at: Recorder): Promise<string[]> {
    const add = createQueue();
    const bob = await begin({ sts, broker }, 'bob');
    await Promise.all([
      runAs(alice, () => add(jobOf(alice, 'alice'))),
      runAs(bob, () => add(jobOf(bob, 'bob'))),
    ]);
    return at.requests.map((seen) => `${seen.path} as ${claimsOf(seen)?.sub}`);
  }

  const right = ['/mcp/alice as alice', '/mcp/bob as bob'];

  test('is made as that other user unless something is done about it: what the docstring warns of', async () => {
    const { server, fetch, url } = await connect();
    const as = await queued((_who, path) => () => fetch(`${url}/${path}`), server);
    expect(as).toEqual(['/mcp/alice as alice', '/mcp/bob as alice']);
  });

  test('is made as its own user when it was bound as it was queued', async () => {
    const { server, fetch, url } = await connect();
    const bound = (_who: Delegation, path: string): Job => AsyncResource.bind(() => fetch(`${url}/${path}`));
    expect(await queued(bound, server)).toEqual(right);
  });

  test('is made as its own user when the delegation is named', async () => {
    const { server, url } = await connect();
    const named = (who: Delegation, path: string): Job => {
      const fetch = createDelegatedFetch({ broker, url, target: 'calendar', delegation: () => who });
      return () => fetch(`${url}/${path}`);
    };
    expect(await queued(named, server)).toEqual(right);
  });
});

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
  onTestFinished(() => void stream.cancel().catch(() => {}));
  return stream;
}
