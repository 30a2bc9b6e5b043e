import { describe, expect, test } from 'vitest';
import { createToolLister } from '../../src/cli/controller-tools.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { KINDS } from '../../src/kubernetes/api/kinds.ts';
import type { RemoteMCPServer, RemoteMCPServerSpec } from '../../src/kubernetes/api/remote-mcp-server.ts';
import type { DevelopmentClient } from '../../src/sts/index.ts';
import { json, never, startLoopback } from '../support/loopback.ts';
import { startRawMcp } from '../support/raw-mcp.ts';
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
    expect(Object.keys(tools[0] ?? {}).sort()).toEqual(['description', 'name']);
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
