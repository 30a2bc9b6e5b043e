import { request } from 'node:http';
import { expect, test } from 'vitest';
import { ownOriginOnly } from '../../src/agent/own-origin.ts';
import { configOf, message, serve, setStage } from './support.ts';

/** Sends a message with these header fields, which `fetch` would not let be set. */
function sendWith(url: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const post = request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
    });
    post.on('error', reject).on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    post.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'message/send', params: message('Go.') }));
  });
}

test('a web page cannot use an agent for anonymous callers, whatever its name was made to point to', async () => {
  const stage = await setStage();
  const server = await serve({ ...configOf(stage, []), authentication: { mode: 'anonymous' } });
  const { host, port } = new URL(server.url);

  expect(await sendWith(server.url, {})).toBe(200);
  expect(await sendWith(server.url, { host: `localhost:${port}` })).toBe(200);
  expect(await sendWith(server.url, { origin: `http://${host}` })).toBe(200);
  expect(await sendWith(server.url, { origin: 'https://evil.example' })).toBe(403);
  expect(await sendWith(server.url, { origin: 'null' })).toBe(403);
  expect(await sendWith(server.url, { host: 'evil.example' })).toBe(403);
  expect(await sendWith(server.url, { host: 'evil.example', origin: 'http://evil.example' })).toBe(403);
  expect(await sendWith(server.url, { host: `localhost.evil.example:${port}` })).toBe(403);
});

test('where it does not listen on loopback, programs may know it by any name, and web pages by an address or that of its card', async () => {
  const inside = async () => ({ status: 200, headers: {}, body: '' });
  const door = ownOriginOnly(inside, 'http://0.0.0.0:8080', 'https://agent.example/');
  const statusOf = async (headers: object): Promise<unknown> =>
    ((await door({ headers } as never)) as { readonly status: number }).status;

  expect(await statusOf({ host: 'agent.example' })).toBe(200);
  expect(await statusOf({ host: 'agent.example', origin: 'https://agent.example' })).toBe(200);
  expect(await statusOf({ host: '10.0.0.7:8080', origin: 'http://10.0.0.7:8080' })).toBe(200);
  expect(await statusOf({ host: '[fd00::7]:8080', origin: 'http://[fd00::7]:8080' })).toBe(200);
  expect(await statusOf({ host: 'localhost:8080', origin: 'http://localhost:8080' })).toBe(200);
  expect(await statusOf({ host: 'agent.example', origin: 'https://evil.example' })).toBe(403);
  // Its name was made to point here.
  expect(await statusOf({ host: 'evil.example:8080', origin: 'http://evil.example:8080' })).toBe(403);
});
