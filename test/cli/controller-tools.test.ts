import { describe, expect, test } from 'vitest';
import { createToolLister } from '../../src/cli/controller-tools.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { KINDS } from '../../src/kubernetes/api/kinds.ts';
import type { RemoteMCPServer, RemoteMCPServerSpec } from '../../src/kubernetes/api/remote-mcp-server.ts';
import type { DevelopmentClient } from '../../src/sts/index.ts';
import { collectUntil } from '../support/collected.ts';
import { thrownBy } from '../support/failure.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { always, json, never, startLoopback } from '../support/loopback.ts';
import { type RawAnswer, result, startRawMcp } from '../support/raw-mcp.ts';
import { startSts } from '../support/sts.ts';

const signal = new AbortController().signal;

function objectOf(url: string, more: object = {}): RemoteMCPServer {
  const spec = KINDS.RemoteMCPServer.spec.parse({ description: '', url, ...more }) as RemoteMCPServerSpec;
  return {
    apiVersion: 'onbehalf.dev/v1alpha1',
    kind: 'RemoteMCPServer',
    metadata: { name: 'mail', namespace: 'team' },
    spec,
  };
}

describe('the tools of a server', () => {
  test('are listed as nobody, and the session is ended', async () => {
    const server = await startRawMcp();
    const tools = await createToolLister(undefined)(objectOf(server.url), signal);
    expect(tools.length).toBeGreaterThan(0);
    expect(tools[0]).toEqual({ name: 't' });
    expect(server.requests.filter(({ authorization }) => authorization)).toEqual([]);
    expect(server.sessions.size).toBe(0);
  });

  test('are listed with a token for the URL of this very server, where it wants one', async () => {
    const client: DevelopmentClient = {
      clientId: 'controller',
      clientSecret: 'not-a-real-secret',
      authentication: 'client_secret_basic',
      audiences: [],
    };
    const server = await startRawMcp({
      answers: {
        initialize: (response, id, { authorization }) => {
          if (authorization === undefined) return response.writeHead(401).end();
          const result = {
            protocolVersion: '2025-06-18',
            capabilities: {},
            serverInfo: { name: 'a', version: '1' },
          };
          return json(response, { jsonrpc: '2.0', id, result });
        },
      },
    });
    const sts = await startSts({ clients: [{ ...client, audiences: [server.url] }] });
    const service = createTokenService({
      ...{ issuer: sts.issuer, clientId: client.clientId },
      clientAuth: { method: 'client_secret_basic', clientSecret: 'not-a-real-secret' },
    });
    expect(await createToolLister(service)(objectOf(server.url), signal)).toEqual([]);
    const [, token = ''] = (
      server.requests.find(({ authorization }) => authorization)?.authorization ?? ''
    ).split(' ');
    expect(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({
      aud: server.url,
    });
    await expect(createToolLister(undefined)(objectOf(server.url), signal)).rejects.toThrow(
      'its tools cannot be listed',
    );
  });

  test.each([
    ['the protocol SSE', { protocol: 'SSE' }, 'over the protocol SSE'],
    ['a CA in a Secret', { tls: { caCertSecretRef: 'ca', caCertSecretKey: 'ca.crt' } }, 'reads no Secret'],
    ['no verification', { tls: { disableVerify: true } }, 'the controller verifies certificates'],
    ['plain http', { url: 'http://mail.example/mcp' }, 'set dangerouslyAllowInsecureHTTP'],
  ])('are not listed where that takes %s', async (_, more, why) => {
    const listing = createToolLister(undefined)(objectOf('https://mail.example/mcp', more), signal);
    await expect(listing).rejects.toThrow(why);
    await expect(listing).rejects.toThrow('publishTools');
  });

  test('of one that does not answer are not waited for beyond its timeout', async () => {
    const server = await startLoopback(never);
    const listing = createToolLister(undefined)(
      objectOf(`${server.origin}/mcp`, { timeout: '100ms' }),
      signal,
    );
    await expect(listing).rejects.toThrow('it did not answer within 0.1 s');
  });

  test('are said not to be had without the headers of a Secret, which the controller does not read', async () => {
    const server = await startLoopback((_request, response) => json(response, {}, { status: 403 }));
    const headersFrom = [
      { name: 'X-Plain', value: 'plain' },
      { name: 'X-Key', valueFrom: { type: 'Secret', name: 'keys', key: 'k' } },
    ];
    const listing = createToolLister(undefined)(objectOf(`${server.origin}/mcp`, { headersFrom }), signal);
    await expect(listing).rejects.toThrow('the controller reads no Secret');
    expect(server.received[0]?.headers).toMatchObject({ 'x-plain': 'plain' });
    expect(server.received[0]?.headers).not.toHaveProperty('x-key');
  });
});

describe('a server that says too much', () => {
  const tool = (name: string, description = '') => ({ name, description, inputSchema: { type: 'object' } });
  const listing = (answer: RawAnswer) => startRawMcp({ answers: { 'tools/list': answer } });
  const list = async (url: string) => createToolLister(undefined)(objectOf(url), signal);
  const FIRST_HALF = 'x'.repeat(2 ** 21);

  test('is broken off, whether it answers in one body, in pages or by an event stream', async () => {
    const one = await listing((response, id) =>
      result(response, id, { tools: [tool('t', FIRST_HALF + FIRST_HALF)] }),
    );
    const pages = await listing((response, id) =>
      result(response, id, { tools: [tool(`t${id}`, FIRST_HALF)], nextCursor: `c${id}` }),
    );
    const streams = await listing((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let times = 0; times < 3; times++) response.write(`: ${FIRST_HALF}\n\n`);
    });
    for (const { url } of [one, pages, streams]) {
      await expect(list(url)).rejects.toThrow('its tools cannot be listed: it said more than 4 MiB');
    }
    expect(pages.of('tools/list').length).toBe(2);
  });

  test('is not read to the end of an endless body', async () => {
    let sent = 0;
    const server = await listing((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = (): void => {
        if (response.destroyed || sent >= 2 ** 28) return void response.end();
        sent += FIRST_HALF.length;
        response.write(FIRST_HALF, more);
      };
      more();
    });
    await expect(list(server.url)).rejects.toThrow('it said more than 4 MiB');
    expect(sent).toBeLessThan(2 ** 26);
  });

  test('has 1,000 tools at most, with names and descriptions that fit into a status', async () => {
    const many = Array.from({ length: 1_500 }, (_, index) => tool(`t${index}`));
    const server = await listing((response, id) =>
      result(response, id, { tools: [tool('n'.repeat(257)), tool('long', 'd'.repeat(2_000)), ...many] }),
    );
    const tools = await list(server.url);
    expect(tools.length).toBe(1_000);
    expect(tools[0]).toEqual({ name: 'long', description: 'd'.repeat(1_024) });
  });

  test('leaves nothing of it in memory but what is given back', async () => {
    const server = await listing((response, id) =>
      result(response, id, { tools: [tool('t', FIRST_HALF + FIRST_HALF.slice(0, 2 ** 20))] }),
    );
    const heapMiB = (): number => process.memoryUsage().heapUsed / 2 ** 20;
    const kept = [await list(server.url)];
    await collectUntil(() => false);
    const before = heapMiB();
    for (let times = 0; times < 10; times++) kept.push(await list(server.url));
    await collectUntil(() => heapMiB() < before + 10);
    expect(heapMiB()).toBeLessThan(before + 10);
    expect(kept.map((tools) => tools[0]?.description?.length)).toEqual(Array(11).fill(1_024));
  });
});

describe("the controller's own token", () => {
  const jwtFor = (aud: unknown) => (url: string) => {
    const audiences = JSON.parse(JSON.stringify(aud).replaceAll('URL', url));
    return fakeJwt({
      iss: 'https://sts.example',
      sub: 'controller',
      aud: audiences,
      exp: seconds(Date.now()) + 300,
    });
  };

  /** What a server was sent that wants a token, when the STS gives this one. */
  async function sent(tokenFor: (url: string) => string): Promise<{ tokens: unknown[]; message: string }> {
    const server = await startLoopback((_request, response) =>
      json(response, {}, { status: 401, headers: { 'www-authenticate': 'Bearer' } }),
    );
    const url = `${server.origin}/mcp`;
    const sts = await startLoopback(
      always({ access_token: tokenFor(url), token_type: 'Bearer', expires_in: 300 }),
    );
    const service = createTokenService({
      ...{ issuer: 'https://sts.example', tokenEndpoint: `${sts.origin}/token`, clientId: 'controller' },
      clientAuth: { method: 'client_secret_basic', clientSecret: 'not-a-real-secret' },
    });
    const { message } = (await thrownBy(createToolLister(service)(objectOf(url), signal))) as Error;
    expect(sts.received[0]?.form.getAll('resource')).toEqual([url]);
    return { tokens: server.received.flatMap(({ headers }) => headers.authorization ?? []), message };
  }

  test.each([
    ['is opaque', () => 'an-opaque-token-of-the-controller', 'does not say what it is for'],
    ['has no aud', jwtFor([]), 'does not say what it is for'],
    ['is for everything', jwtFor('everything'), 'is for more than this server'],
    ['is for this server and others', jwtFor(['URL', 'everything']), 'is for more than this server'],
    ['is for another server of the same beginning', jwtFor('URL-2'), 'is for more than this server'],
  ])('is not sent where it %s', async (_, tokenFor, why) => {
    const { tokens, message } = await sent(tokenFor);
    expect(tokens).toEqual([]);
    expect(message).toContain('its tools cannot be listed');
    expect(message).toContain(why);
    expect(message).toContain('the STS has to heed "resource" (RFC 8707)');
    expect(message).not.toContain('an-opaque-token');
  });

  test.each([
    ['its URL', jwtFor('URL')],
    ['its origin', (url: string) => jwtFor([new URL(url).origin])(url)],
  ])('is sent where it is for %s', async (_, tokenFor) => {
    const { tokens, message } = await sent(tokenFor);
    expect(tokens.length).toBeGreaterThan(0);
    expect(message).toContain('401');
  });
});
