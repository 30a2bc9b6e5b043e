import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { A2ARequestHandler } from '@a2a-js/sdk/server';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ANONYMOUS } from '../../src/agent/caller.ts';
import { createJsonRpc } from '../../src/agent/json-rpc.ts';
import { message } from './support.ts';

/** Says more than any buffer holds, for ever. */
const TALKER = {
  getAgentCard: async () => ({ capabilities: { streaming: true } }),
  async *sendMessageStream() {
    for (;;) yield { kind: 'message', role: 'agent', messageId: 'm', parts: [{ text: 'x'.repeat(2 ** 20) }] };
  },
} as unknown as A2ARequestHandler;

test('a client that reads nothing for half a minute is cut off, and no sooner', async () => {
  const jsonRpc = createJsonRpc(TALKER, 2 ** 20);
  const responses: ServerResponse[] = [];
  const server = createServer((request, response) => {
    responses.push(response);
    void jsonRpc(request, response, ANONYMOUS);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
    vi.useRealTimers();
  });
  client.pause();
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'message/stream', params: message('Go.') });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  client.write(
    `POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await vi.waitUntil(() => responses[0]?.writableNeedDrain === true && vi.getTimerCount() > 0, {
    timeout: 10_000,
    interval: 10,
  });

  await vi.advanceTimersByTimeAsync(29_000);
  expect(responses[0]?.destroyed).toBe(false);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(responses[0]?.destroyed).toBe(true);
});
