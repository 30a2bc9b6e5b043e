import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DiscoverResourceOptions, discoverResource } from '../../src/mcp/resource-metadata.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { type Handler, json, type Loopback, never, startLoopback } from '../support/loopback.ts';

const ROOT = '/.well-known/oauth-protected-resource';
const OWN = `${ROOT}/mcp`;
const ISSUER = 'https://sts.example.com';

/** A server whose paths answer as the table says, anything else with 404. */
async function startResource(
  table: (origin: string) => Readonly<Record<string, object | Handler>>,
): Promise<Loopback> {
  const server = await startLoopback(never);
  const paths = table(server.origin);
  server.handle((request, response) => {
    const found = paths[request.path];
    if (typeof found === 'function') found(request, response);
    else json(response, found ?? { error: 'not found' }, { status: found === undefined ? 404 : 200 });
  });
  return server;
}

/** A server that answers this at the place of `/mcp`. */
const answering = (answer: object | Handler): Promise<Loopback> => startResource(() => ({ [OWN]: answer }));

const pathsOf = (server: Loopback): string[] => server.received.map(({ path }) => path);

const discover = (server: Loopback, options?: DiscoverResourceOptions) =>
  discoverResource(`${server.origin}/mcp`, options);

/** A server that nobody may ask for anything. */
const startThief = (): Promise<Loopback> =>
  startLoopback(({ headers }, response) => json(response, { resource: `http://${headers.host}/mcp` }));

describe('without a challenge', () => {
  test("the place of the server's own metadata is asked, and no other when that is there", async () => {
    const server = await startResource((origin) => ({
      [OWN]: {
        resource: `${origin}/mcp`,
        authorization_servers: [ISSUER, 'http://127.0.0.1:9/realms/a'],
        scopes_supported: ['read', 'write'],
        bearer_methods_supported: ['header'],
      },
      [ROOT]: { resource: origin },
    }));
    const found = await discover(server);
    expect(found).toEqual({
      resource: `${server.origin}/mcp`,
      authorizationServers: [ISSUER, 'http://127.0.0.1:9/realms/a'],
      scopesSupported: ['read', 'write'],
    });
    expect(pathsOf(server)).toEqual([OWN]);
    expect([found, found.authorizationServers, found.scopesSupported].every(Object.isFrozen)).toBe(true);
  });

  test('that of the whole origin is asked next, and is about the whole origin', async () => {
    const server = await startResource((origin) => ({ [ROOT]: { resource: origin } }));
    expect(await discover(server)).toEqual({
      ...{ resource: server.origin, authorizationServers: [], scopesSupported: [] },
    });
    expect(pathsOf(server)).toEqual([OWN, ROOT]);
  });

  test('that of the whole origin is not asked when the first answers in another way', async () => {
    for (const status of [401, 403, 405, 410, 500]) {
      const server = await startResource((origin) => ({
        [OWN]: (_request, response) => json(response, {}, { status }),
        [ROOT]: { resource: origin },
      }));
      expect((await failureOf(discover(server))).status).toBe(status);
      expect(pathsOf(server)).toEqual([OWN]);
    }
  });

  test('a server without a path has one place only', async () => {
    const server = await startResource((origin) => ({ [ROOT]: { resource: `${origin}/` } }));
    expect((await discoverResource(server.origin)).resource).toBe(`${server.origin}/`);
    server.handle((_request, response) => json(response, {}, { status: 404 }));
    expect((await failureOf(discoverResource(server.origin))).status).toBe(404);
    expect(pathsOf(server)).toEqual([ROOT, ROOT]);
  });

  test('a path of several segments, and a slash at its end, stay', async () => {
    const server = await startResource((origin) => ({ [`${ROOT}/a/b/`]: { resource: `${origin}/a/b/` } }));
    expect((await discoverResource(new URL('/a/b/#part', server.origin))).resource).toBe(
      `${server.origin}/a/b/`,
    );
  });

  test('a query stays, and may be part of the name or not', async () => {
    for (const query of ['?tenant=a', '']) {
      const server = await startResource((origin) => ({
        [`${OWN}?tenant=a`]: { resource: `${origin}/mcp${query}` },
      }));
      const found = await discoverResource(`${server.origin}/mcp?tenant=a`);
      expect(found.resource).toBe(`${server.origin}/mcp${query}`);
    }
  });

  test('that is not there at either place is a setting to change', async () => {
    const server = await startResource(() => ({}));
    const error = await failureOf(discover(server));
    expect(error).toMatchObject({ code: 'resource_metadata_invalid', failure: 'misconfigured', status: 404 });
    expect(error.message).toBe(`the resource metadata at ${server.origin}${ROOT} answered with status 404`);
  });
});

describe('with a challenge', () => {
  const at = '/custom/metadata.json';

  test.each(['/mcp', '/mcp?tenant=a'])(
    'only its place is asked, which may be about the server (%j)',
    async (path) => {
      const server = await startResource((origin) => ({ [at]: { resource: origin + path } }));
      const challenge = server.origin + at;
      const found = await discoverResource(`${server.origin}/mcp?tenant=a`, { challenge });
      expect(found.resource).toBe(server.origin + path);
      expect(pathsOf(server)).toEqual([at]);
    },
  );

  test.each([at, `${OWN}/x`, `${ROOT}?team`, '/mcp/meta'])(
    'a path above the server is for the place of that path to speak for, and not for %s: others share it',
    async (place) => {
      for (const path of ['/', '']) {
        const server = await startResource((origin) => ({ [place]: { resource: origin + path } }));
        const error = await failureOf(discover(server, { challenge: server.origin + place }));
        expect(error).toMatchObject({ code: 'resource_metadata_invalid', failure: 'misconfigured' });
      }
    },
  );

  test('a path between is above the server by whole segments', async () => {
    const server = await startLoopback(never);
    const named = async (path: string): Promise<string> => {
      server.handle((_request, response) => json(response, { resource: server.origin + path }));
      const challenge = `${server.origin}${ROOT}${path.replace(/\/$/, '')}`;
      const work = discoverResource(`${server.origin}/team/mcp/v1`, { challenge });
      return work.then(
        ({ resource }) => resource.slice(server.origin.length),
        ({ code }) => code,
      );
    };
    for (const path of ['', '/', '/team', '/team/', '/team/mcp', '/team/mcp/', '/team/mcp/v1']) {
      expect(await named(path)).toBe(path);
    }
    for (const path of ['/t', '/tea', '/team/m', '/team//mcp', '/team/mcp/v', '/mcp', '/team/mcp/v1/']) {
      expect(await named(path), path).toBe('resource_metadata_invalid');
    }
  });

  test('its query is asked with, and its fragment is not; no error shows them', async () => {
    const server = await startResource((origin) => ({
      [`${at}?v=a-fake-key`]: { resource: `${origin}/mcp` },
    }));
    const challenge = `${server.origin}${at}?v=a-fake-key#a-fake-part`;
    expect((await discover(server, { challenge })).resource).toBe(`${server.origin}/mcp`);
    server.handle((_request, response) => json(response, {}, { status: 500 }));
    const error = await failureOf(discover(server, { challenge }));
    expect(error.message).toBe(`the resource metadata at ${server.origin}${at} answered with status 500`);
    expectNoLeak(error, ['a-fake-key', 'a-fake-part']);
  });

  test('that repeats a token in its path does not bring it into an error', async () => {
    const server = await startResource(() => ({}));
    const token = 'aaaaaaaa.bbbbbbbb.cccccccc';
    for (const path of [`/x/${token}`, `${ROOT}/${token}`, `/${token}${ROOT}`]) {
      const error = await failureOf(discover(server, { challenge: server.origin + path }));
      expect(error.message).toContain(`${server.origin}/`);
      expectNoLeak(error, [token]);
    }
    const plain = await failureOf(discover(server, { challenge: server.origin + OWN }));
    expect(plain.message).toContain(server.origin + OWN);
  });

  test.each<[string, (own: Loopback, thief: Loopback) => string]>([
    ['another port', (_own, thief) => `${thief.origin}${OWN}`],
    ['another name of the host', (own) => own.origin.replace('127.0.0.1', 'localhost') + OWN],
    ['another scheme', (own) => own.origin.replace('http:', 'https:') + OWN],
    ['a user name', (own) => `${own.origin.replace('//', '//user@')}${OWN}`],
    ['a password', (own) => `${own.origin.replace('//', '//:word@')}${OWN}`],
    ["the server's host as a user name", (own, thief) => `http://${own.host}@${thief.host}${OWN}`],
    ['the same with a backslash', (own, thief) => `http://${thief.host}\\@${own.host}${OWN}`],
    ['a URL without scheme', (_own, thief) => `//${thief.host}${OWN}`],
    ['a path', () => OWN],
    ['a blob of the server', (own) => `blob:${own.origin}/mcp`],
    ['data', () => 'data:application/json,{}'],
    ['a file', () => 'file:///etc/hostname'],
    ['nothing', () => ''],
  ])('that names %s nobody is asked', async (_what, challenge) => {
    const [own, thief] = [await startThief(), await startThief()];
    const error = await failureOf(discover(own, { challenge: challenge(own, thief) }));
    expect(error).toMatchObject({ code: 'resource_metadata_invalid', failure: 'misconfigured' });
    expect(error.message).toBe(
      `the server at ${own.origin} says that its resource metadata is elsewhere: only its own origin is asked`,
    );
    expect([own.received.length, thief.received.length]).toEqual([0, 0]);
  });
});

describe('a document about another resource is refused', () => {
  const others: readonly (readonly [string, (origin: string) => unknown])[] = [
    ['of another origin', () => 'https://mcp.example.com/mcp'],
    ['of another port', (origin) => `${origin.slice(0, -1)}/mcp`],
    ['of another name of the host', (origin) => `${origin.replace('127.0.0.1', 'localhost')}/mcp`],
    ['of another scheme', (origin) => `${origin.replace('http:', 'https:')}/mcp`],
    ['beside it, that begins alike', (origin) => `${origin}/mcp-admin`],
    ['below it', (origin) => `${origin}/mcp/admin`],
    ['with a slash more', (origin) => `${origin}/mcp/`],
    ['with two slashes', (origin) => `${origin}//mcp`],
    ['in another case', (origin) => `${origin}/MCP`],
    ['beside it', (origin) => `${origin}/other`],
    ['with a query', (origin) => `${origin}/mcp?tenant=b`],
    ['above it, with a query', (origin) => `${origin}/?tenant=b`],
    ['with an empty query', (origin) => `${origin}/mcp?`],
    ['with a fragment', (origin) => `${origin}/mcp#part`],
    ['with an empty fragment', (origin) => `${origin}/mcp#`],
    ['with a user name', (origin) => `${origin.replace('//', '//user@')}/mcp`],
    ['with an empty user name', (origin) => `${origin.replace('//', '//@')}/mcp`],
    ['with the server as a user name', (origin) => `${origin}@mcp.example.com/mcp`],
    ['with dots', (origin) => `${origin}/x/../mcp`],
    ['with dots that are encoded', (origin) => `${origin}/x/%2e%2e/mcp`],
    ['with a backslash', (origin) => `${origin}\\mcp`],
    ['with a space before', (origin) => ` ${origin}/mcp`],
    ['with a line break in it', (origin) => `${origin}/m\ncp`],
    ['with its scheme in capitals', (origin) => `${origin.replace('http', 'HTTP')}/mcp`],
    ['with a letter encoded', (origin) => `${origin}/%6dcp`],
    ['that is a path', () => '/mcp'],
    ['that is no http URL', () => 'urn:example:mcp'],
    ['that is a blob', (origin) => `blob:${origin}/mcp`],
    ['that is too long', (origin) => `${origin}/mcp?${'a'.repeat(2_048)}`],
    ['that is empty', () => ''],
    ['that is a list', (origin) => [`${origin}/mcp`]],
    ['that is an object', () => ({})],
    ['that is missing', () => undefined],
  ];

  test.each(others)('%s', async (_what, resource) => {
    const server = await startLoopback(never);
    server.handle((_request, response) => json(response, { resource: resource(server.origin) }));
    for (const options of [{}, { challenge: `${server.origin}/x` }]) {
      const error = await failureOf(discover(server, options));
      expect(error).toMatchObject({ code: 'resource_metadata_invalid', failure: 'misconfigured' });
      expect(error.message).toMatch(
        /^the resource metadata at http:\S+ is (about another resource|not JSON with)/,
      );
    }
    expect(pathsOf(server)).toEqual([OWN, '/x']);
  });

  test.each([
    [OWN, ''],
    [OWN, '/'],
    [ROOT, '/mcp'],
  ])('at the well-known place %s, that whose place is another: %j', async (place, path) => {
    const server = await startResource((origin) => ({ [place]: { resource: origin + path } }));
    const error = await failureOf(discover(server));
    expect(error.message).toBe(
      `the resource metadata at ${server.origin}${place} is about another resource (RFC 9728 section 3.3)`,
    );
  });
});

describe('of a list', () => {
  const good = async (more: object): Promise<{ servers: readonly string[]; scopes: readonly string[] }> => {
    const server = await startLoopback(never);
    server.handle((_request, response) => json(response, { resource: `${server.origin}/mcp`, ...more }));
    const { authorizationServers, scopesSupported } = await discover(server);
    return { servers: authorizationServers, scopes: scopesSupported };
  };

  test('only authorization servers that are one are told', async () => {
    const servers = [
      'https://sts.example.com',
      'https://sts.example.com/realms/a/',
      'http://localhost:9/a',
      'http://[::1]/',
    ];
    const wrong = [
      'http://sts.example.com',
      'https://user@sts.example.com',
      'https://:word@sts.example.com',
      'https://sts.example.com/?a=b',
      'https://sts.example.com/#a',
      'https://sts.example.com/a/../b',
      'https:\\\\sts.example.com',
      'https://sts.example.com\n',
      'ftp://sts.example.com',
      'ftp://localhost',
      'javascript:alert(1)',
      'sts.example.com',
      `https://sts.example.com/${'a'.repeat(2_048)}`,
      '',
      5,
      null,
      ['https://sts.example.com'],
      { issuer: 'https://sts.example.com' },
    ];
    expect((await good({ authorization_servers: [...wrong, ...servers, ...wrong] })).servers).toEqual(
      servers,
    );
  });

  test('only scopes that are one are told', async () => {
    const scopes = ['read', 'https://example.com/scope?a=b', '!#[]~', 'a'.repeat(256)];
    const wrong = ['', 'a b', 'a"b', 'a\\b', 'a\tb', '\u00e4', 'a'.repeat(257), 5, null, ['read']];
    expect((await good({ scopes_supported: [...wrong, ...scopes, ...wrong] })).scopes).toEqual(scopes);
  });

  test('the first 32 are told', async () => {
    const servers = Array.from({ length: 40 }, (_, i) => `https://sts${i}.example.com`);
    const scopes = Array.from({ length: 40 }, (_, i) => `scope${i}`);
    expect(await good({ authorization_servers: servers, scopes_supported: scopes })).toEqual({
      ...{ servers: servers.slice(0, 32), scopes: scopes.slice(0, 32) },
    });
  });

  test.each([5, 'read', { 0: 'read', length: 1 }, null])(
    'that is none (%j) nothing is told',
    async (list) => {
      expect(await good({ authorization_servers: list, scopes_supported: list })).toEqual({
        ...{ servers: [], scopes: [] },
      });
    },
  );
});

describe('an answer is refused', () => {
  test.each([301, 302, 303, 307, 308])('that is a redirect with %i, which nobody follows', async (status) => {
    const thief = await startThief();
    const server = await answering((_request, response) => {
      response.writeHead(status, { location: `${thief.origin}${OWN}` }).end();
    });
    for (const options of [{}, { challenge: server.origin + OWN }]) {
      const error = await failureOf(discover(server, options));
      expect(error).toMatchObject({ code: 'resource_metadata_invalid', failure: 'misconfigured', status });
      expectNoLeak(error, [thief.host]);
    }
    expect(thief.received).toEqual([]);
    expect(pathsOf(server)).toEqual([OWN, OWN]);
  });

  test.each<[number, 'misconfigured' | 'unavailable']>([
    [201, 'misconfigured'],
    [204, 'misconfigured'],
    [206, 'misconfigured'],
    [304, 'misconfigured'],
    [401, 'misconfigured'],
    [403, 'misconfigured'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ])('with status %i: %s', async (status, failure) => {
    const server = await answering((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json', 'retry-after': '7' }).end();
    });
    const error = await failureOf(discover(server));
    expect(error).toMatchObject({ code: 'resource_metadata_invalid', failure, status, retryAfterMs: 7_000 });
    expect(error.retryable).toBe(failure === 'unavailable');
  });

  test.each([
    undefined,
    'text/html',
    'text/plain',
    'application/jsonp',
    'application/problem+json',
    'text/json; a=application/json',
  ])('of the type %s', async (type) => {
    const server = await startLoopback(({ headers }, response) => {
      response.writeHead(200, type === undefined ? {} : { 'content-type': type });
      response.end(JSON.stringify({ resource: `http://${headers.host}/mcp` }));
    });
    const error = await failureOf(discover(server));
    expect(error).toMatchObject({ code: 'resource_metadata_invalid', failure: 'misconfigured' });
    expect(error.message).toBe(
      `the resource metadata at ${server.origin}${OWN} is not of the type application/json`,
    );
  });

  test('but not for its parameters or case', async () => {
    for (const type of ['application/json; charset=utf-8', 'Application/JSON ;x']) {
      const server = await startLoopback(({ headers }, response) => {
        response.writeHead(200, { 'content-type': type });
        response.end(JSON.stringify({ resource: `http://${headers.host}/mcp` }));
      });
      expect((await discover(server)).resource).toBe(`${server.origin}/mcp`);
    }
  });

  test.each(['', '{', 'null', '5', '[]', '"http://127.0.0.1/mcp"', '{}', '\u0000'])(
    'that says %j',
    async (body) => {
      const server = await answering((_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(body);
      });
      const error = await failureOf(discover(server));
      expect(error).toMatchObject({ code: 'resource_metadata_invalid', failure: 'misconfigured' });
    },
  );

  test('whatever else it says, and is shown in no error', async () => {
    const server = await answering({ resource: 'a-fake-secret', note: 'a-fake-secret' });
    expectNoLeak(await failureOf(discover(server)), ['a-fake-secret']);
  });

  test('that has no end, at 65,536 bytes', async () => {
    const server = await answering((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = (): unknown => response.write(Buffer.alloc(16_384, ' '), more);
      more();
    });
    const error = await failureOf(discover(server));
    expect(error).toMatchObject({ code: 'resource_metadata_invalid', failure: 'misconfigured' });
    expect(error.message).toBe(`the resource metadata at ${server.origin}${OWN} is over 65536 bytes`);
    await server.cutOff(1);
  });

  test('with one byte too many, and not before', async () => {
    const server = await startLoopback(never);
    const text = JSON.stringify({ resource: `${server.origin}/mcp` });
    const ofSize = (bytes: number): Promise<unknown> => {
      server.handle((_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(text.padEnd(bytes));
      });
      return discover(server);
    };
    expect(await ofSize(65_536)).toMatchObject({ resource: `${server.origin}/mcp` });
    expect((await failureOf(ofSize(65_537))).code).toBe('resource_metadata_invalid');
  });

  test('that begins and does not end, in time', async () => {
    const server = await answering((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{"resource":');
    });
    const error = await failureOf(discover(server, { timeoutMs: 50 }));
    expect(error).toMatchObject({ code: 'resource_metadata_invalid', failure: 'unavailable' });
    expect(error.message).toBe(`the resource metadata at ${server.origin}${OWN} did not come within 50 ms`);
    await server.cutOff(1);
  });
});

describe('a caller that leaves', () => {
  const reason = new Error('enough');

  test('before the answer is obeyed, for its own reason', async () => {
    const server = await startLoopback(never);
    const controller = new AbortController();
    const asking = thrownBy(discover(server, { signal: controller.signal }));
    await server.arrived(1);
    controller.abort(reason);
    expect(await asking).toBe(reason);
    await server.cutOff(1);
  });

  test('in the middle of it, too', async () => {
    const server = await answering((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{"resource":');
    });
    const controller = new AbortController();
    const asking = discover(server, {
      signal: controller.signal,
      fetch: async (to, init) => {
        const response = await fetch(to, init);
        controller.abort(reason);
        return response;
      },
    });
    expect(await thrownBy(asking)).toBe(reason);
    await server.cutOff(1);
  });

  test('before the request makes none', async () => {
    const server = await startThief();
    expect(await thrownBy(discover(server, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(server.received).toEqual([]);
  });
});

test('a server that is not there is told as such, with the reason', async () => {
  const server = await startLoopback(never);
  await server.close();
  const error = await failureOf(discover(server));
  expect(error).toMatchObject({ code: 'server_unreachable', failure: 'unavailable', retryable: true });
  expect(error.message).toBe(`${server.origin} could not be reached (ECONNREFUSED)`);
});

test('what a fetch of the user throws is not passed on', async () => {
  const failing = async (): Promise<Response> => {
    throw new Error('a-fake-secret');
  };
  const error = await failureOf(discoverResource('https://mcp.example.com/mcp', { fetch: failing }));
  expect(error.message).toBe('https://mcp.example.com could not be reached');
  expectNoLeak(error, ['a-fake-secret']);
});

test('a query and a fragment of the server are shown in no error, and the fragment is not asked with', async () => {
  const asked: string[] = [];
  const fetch = async (to: string): Promise<Response> => {
    asked.push(to);
    return new Response(null, { status: asked.length === 1 ? 500 : 404 });
  };
  const url = 'https://mcp.example.com/mcp?key=a-fake-key#a-fake-part';
  const challenge = 'https://mcp.example.com/x#a-fake-part';
  for (const options of [{ fetch }, { fetch }, { fetch, challenge }]) {
    expectNoLeak(await failureOf(discoverResource(url, options)), ['a-fake-key', 'a-fake-part']);
  }
  const own = `https://mcp.example.com${OWN}?key=a-fake-key`;
  // The second time it is not there, so the whole origin is asked; that is no place for the query.
  expect(asked).toEqual([own, own, `https://mcp.example.com${ROOT}`, 'https://mcp.example.com/x']);
});

test('no credentials are sent, and what is asked for is JSON', async () => {
  const server = await startResource((origin) => ({
    [ROOT]: { resource: origin },
    '/x': { resource: `${origin}/mcp` },
  }));
  const seen: RequestInit[] = [];
  const options: DiscoverResourceOptions = {
    fetch: (to, init) => {
      seen.push(init);
      return fetch(to, init);
    },
  };
  await discover(server, options);
  await discover(server, { ...options, challenge: `${server.origin}/x` });
  expect(server.received.map(({ method, headers, body }) => [method, headers.accept, body])).toEqual(
    Array(3).fill(['GET', 'application/json', '']),
  );
  for (const { headers } of server.received) {
    expect(headers).not.toHaveProperty('authorization');
    expect(headers).not.toHaveProperty('cookie');
  }
  for (const init of seen) expect(init).toMatchObject({ redirect: 'manual', credentials: 'omit' });
  expect(seen).toHaveLength(3);
});

test('no metadata is read in clear text from elsewhere than loopback, unless that was allowed', async () => {
  const asked: string[] = [];
  const fetch = async (to: string): Promise<Response> => {
    asked.push(to);
    return Response.json({ resource: 'http://mcp.example.com/mcp' });
  };
  const url = 'http://mcp.example.com/mcp';
  expect((await failureOf(discoverResource(url, { fetch }))).code).toBe('insecure_url');
  expect(asked).toEqual([]);
  const found = await discoverResource(url, { fetch, dangerouslyAllowInsecureHttp: true });
  expect(found.resource).toBe(url);
  expect(asked).toEqual([`http://mcp.example.com${OWN}`]);
});

test.each<[string, string, unknown, string]>([
  ['a relative URL', '/mcp', {}, '"url"'],
  ['a URL with credentials', 'https://user:word@mcp.example.com', {}, '"url"'],
  [
    'a challenge that is no text',
    'https://mcp.example.com',
    { challenge: new URL('https://a/') },
    '"challenge"',
  ],
  ['a time of zero', 'https://mcp.example.com', { timeoutMs: 0 }, '"timeoutMs"'],
  ['a misspelt option', 'https://mcp.example.com', { timeout: 5 }, '"timeout"'],
])('%s is a mistake that is named', async (_what, url, options, message) => {
  const error = await thrownBy(discoverResource(url, options as DiscoverResourceOptions));
  expect(error).toBeInstanceOf(TypeError);
  expect((error as TypeError).message).toContain(message);
});

test('whatever the metadata says, what is told is allowed, and only the server was asked', async () => {
  const origin = 'https://mcp.example.com';
  const server = `${origin}/team/mcp`;
  const allowed = [origin, `${origin}/`, `${origin}/team`, `${origin}/team/`, server];
  const anyUrl = fc
    .tuple(
      fc.constantFrom(origin, 'https://mcp.example.com.evil.example', 'http://mcp.example.com', ''),
      fc.array(fc.constantFrom('/', 'team', 'mcp', '..', '%2e', '?', '#', '@', '\\', ':443', 'a', ' '), {
        maxLength: 5,
      }),
    )
    .map(([start, parts]) => start + parts.join(''));
  const resource = fc.oneof(fc.constantFrom(...allowed), anyUrl, anyUrl, fc.anything());
  const list = fc.oneof(fc.array(fc.oneof(anyUrl, fc.string(), fc.webUrl(), fc.jsonValue())), fc.jsonValue());
  const document = fc.oneof(
    { weight: 5, arbitrary: fc.record({ resource, authorization_servers: list, scopes_supported: list }) },
    { weight: 1, arbitrary: fc.jsonValue() },
  );
  const places = ['/x', ROOT, `${ROOT}/team`, `${ROOT}/team/mcp`].map((path) => origin + path);
  const challenge = fc.option(fc.oneof(anyUrl, fc.constantFrom(...places), fc.constantFrom(...places)), {
    nil: undefined,
  });
  const status = fc.constantFrom(200, 200, 200, 404, 302);
  let told = 0;
  await fc.assert(
    fc.asyncProperty(document, challenge, status, async (body, where, first) => {
      const asked: string[] = [];
      const fetch = async (to: string): Promise<Response> => {
        asked.push(to);
        const answered = asked.length === 1 ? first : 200;
        return new Response(text(body), {
          status: answered,
          headers: { 'content-type': 'application/json', location: 'https://evil.example/' },
        });
      };
      const found = await discoverResource(server, { challenge: where, fetch }).catch(({ name }) => {
        expect(name).toBe('OnbehalfError');
      });
      for (const each of asked) expect(new URL(each).origin).toBe(origin);
      expect(asked.length).toBeLessThanOrEqual(2);
      if (!found) return;
      told += 1;
      expect(allowed).toContain(found.resource);
      const path = new URL(found.resource).pathname.replace(/\/$/, '');
      // What stands for others too was said where only the owner of that path can say it.
      if (found.resource !== server) expect(asked.at(-1)).toBe(`${origin}${ROOT}${path}`);
      for (const issuer of found.authorizationServers) {
        expect(issuer).toMatch(/^(https:\/\/|http:\/\/(localhost|127|\[::1\]))[^/@?#\s\\]*(\/[^?#\s\\]*)?$/);
      }
      for (const scope of found.scopesSupported) {
        expect(scope).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/);
      }
      expect(found.authorizationServers.length).toBeLessThanOrEqual(32);
      expect(found.scopesSupported.length).toBeLessThanOrEqual(32);
    }),
    { numRuns: 2_000 },
  );
  // Else it would have looked at refusals alone.
  expect(told).toBeGreaterThan(20);
});

/** JSON of a value, as far as it has one. */
function text(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '{}';
  }
}
