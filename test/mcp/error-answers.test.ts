// Answers of status 400 and above go on to the client, which throws them with all they say; so not with the token.

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runAs } from '../../src/index.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { bareClient, CLIENTS, fetchAt, type Scene, startScene } from './any-client.ts';
import { end } from './strict-server.ts';
import { failed } from './support.ts';

const call = (at: Scene, fetch = at.fetch, url = at.server.url): Promise<Response> =>
  runAs(at.alice, () => bareClient(url, fetch).send('tools/call', { params: { name: 'whoami' } }));

describe.each([400, 404, 409, 500, 503])('an answer with status %i', (status) => {
  test('is handed on without the token, in body, header fields and status text', async () => {
    const at = await startScene({ server: { stateless: true } });
    let token = '';
    at.server.answer = (seen, response) => {
      token = seen.token ?? '';
      const headers = {
        'x-echo': `you sent ${token}`,
        'content-type': 'application/json',
        'x-other': 'stays',
      };
      response.writeHead(status, `no ${token}`, headers).end(`{"token":"${token}","twice":"${token}"}`);
      return true;
    };
    const response = await call(at);
    expect([response.status, response.statusText]).toEqual([status, '']);
    expect(response.headers.get('x-echo')).toBe('you sent [redacted]');
    expect(response.headers.get('x-other')).toBe('stays');
    expect(await response.json()).toEqual({ token: '[redacted]', twice: '[redacted]' });
    expect(token).not.toBe('');
  });
});

/** Answers 500 in these pieces, each in a packet of its own. */
async function answering(at: Scene, pieces: (token: string) => readonly string[]): Promise<Response> {
  at.server.answer = async ({ token = '' }, response) => {
    response.writeHead(500, { 'content-type': 'text/plain' });
    for (const piece of pieces(token)) {
      await new Promise<void>((resolve) => response.write(piece, () => setImmediate(resolve)));
    }
    response.end();
    return true;
  };
  return call(at);
}

describe('the body of an error answer', () => {
  test('is without the token that comes in two pieces', async () => {
    const at = await startScene({ server: { stateless: true } });
    const response = await answering(at, (token) => ['a ', token.slice(0, 30), token.slice(30), ' z']);
    expect(await response.text()).toBe('a [redacted] z');
  });

  test('of just 64 KiB is handed on', async () => {
    const at = await startScene({ server: { stateless: true } });
    const response = await answering(at, () => ['x'.repeat(65_536)]);
    expect(await response.text()).toHaveLength(65_536);
  });

  test('of more than 64 KiB is left out, and not waited for', async () => {
    const at = await startScene({ server: { stateless: true } });
    at.server.answer = ({ token }, response) => {
      // It never ends.
      response.writeHead(500).write('x'.repeat(65_530) + token);
      return true;
    };
    const response = await call(at);
    expect([response.status, await response.text()]).toEqual([500, '']);
  });

  test('that was compressed is handed on as text, and not said to be compressed', async () => {
    const at = await startScene({ server: { stateless: true } });
    at.server.answer = ({ token }, response) => {
      const body = gzipSync(`sent ${token}`);
      response.writeHead(500, { 'content-encoding': 'gzip', 'content-length': body.length }).end(body);
      return true;
    };
    const response = await call(at);
    expect(await response.text()).toBe('sent [redacted]');
    expect([response.headers.get('content-encoding'), response.headers.get('content-length')]).toEqual([
      null,
      null,
    ]);
  });
});

test.each([
  ['status text', '500 \u65e5\u672c', 500],
  ['status', '799 Whatever', 599],
])('a %s that no Response takes is no reason to fail otherwise', async (_what, line, status) => {
  const tcp = createServer((socket) => {
    socket.on('error', () => {});
    const head = `HTTP/1.1 ${line}\r\nconnection: close\r\ncontent-length: 2\r\n\r\n`;
    socket.once('data', () => socket.end(`${head}no`));
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void tcp.close());
  const at = await startScene();
  const url = `http://127.0.0.1:${(tcp.address() as AddressInfo).port}/mcp`;
  const response = await call(at, fetchAt({ broker: at.broker, url }), url);
  expect([response.status, await response.text()]).toEqual([status, 'no']);
});

test('an answer below 400 is the server’s own, as it is, with its address', async () => {
  const at = await startScene({ server: { stateless: true } });
  at.server.answer = ({ token }, response) => end(response, 200, {}, token);
  const response = await call(at);
  expect(response.url).toBe(at.server.url);
  expect(await response.text()).toBe(at.server.requests[0]?.token);
});

test.each(CLIENTS)(
  'what a %s client throws for an error answer shows no token',
  async (_version, connect) => {
    const at = await startScene();
    const client = await connect(at.server.url, at.fetch);
    for (const status of [400, 401, 403, 404, 418, 500, 503]) {
      let token = '';
      at.server.answer = (seen, response) => {
        if (seen.method !== 'tools/call') return false;
        token = seen.token ?? '';
        response.writeHead(status, `no ${token}`, {
          'x-echo': token,
          'www-authenticate': `Bearer realm="${token}"`,
        });
        response.end(`{"token":"${token}"}`);
        return true;
      };
      const error = await failed(runAs(at.alice, () => client.call()));
      expect(token).not.toBe('');
      expectNoLeak(error, [token]);
    }
  },
);
