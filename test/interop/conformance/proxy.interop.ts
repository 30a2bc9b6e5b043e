// Who judges by what a proxy refuses must have seen it refuse.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { clientCredentialsActor } from '../../../src/index.ts';
import { startVerifyingProxy } from './everything/proxy.ts';
import { AGENT, createVerifier, startParts, type User } from './parts.ts';

const AUDIENCE = 'everything';

/** A server that has one session, and no idea who calls. */
async function startPlainServer(session: string): Promise<{ socketPath: string; received: string[] }> {
  const work = await mkdtemp(join(tmpdir(), 'onbehalf-plain-'));
  const socketPath = join(work, 'server.sock');
  const received: string[] = [];
  const server = createServer((request, response) => {
    received.push(request.headers.authorization ?? 'no token');
    response.writeHead(200, { 'mcp-session-id': session }).end();
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await rm(work, { recursive: true, force: true });
  });
  return { socketPath, received };
}

async function startWorld() {
  const { socketPath, received } = await startPlainServer('session-1');
  const parts = await startParts([AUDIENCE, 'elsewhere']);
  const proxy = await startVerifyingProxy(socketPath, createVerifier(parts.sts, AUDIENCE));
  return {
    ...parts,
    proxy,
    received,
    tokenOf: async (user: User, audience = AUDIENCE) =>
      (await parts.broker.token(await parts.begin(user), audience)).accessToken,
    async agentsToken() {
      const token = await clientCredentialsActor(parts.tokenService, { audience: AUDIENCE })({});
      return typeof token === 'string' ? token : token.token;
    },
    async ask(token: string | undefined, method: string, session?: string) {
      const headers = {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(session !== undefined && { 'mcp-session-id': session }),
      };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { name: 'echo' } });
      return (await fetch(proxy.url, { method: 'POST', headers, body })).status;
    },
  };
}

test('the proxy refuses no token, a broken one, one for elsewhere, one of no agent, and one of no user', async () => {
  const { proxy, received, sts, ask, tokenOf, agentsToken } = await startWorld();
  const token = await tokenOf('alice');
  expect(await ask(undefined, 'tools/call')).toBe(401);
  expect(await ask(`${token.slice(0, -8)}AAAAAAAA`, 'tools/call')).toBe(401);
  expect(await ask(await tokenOf('alice', 'elsewhere'), 'tools/call')).toBe(401);
  expect(await ask(await sts.mintSubjectToken({ sub: 'alice', audience: AGENT }), 'tools/call')).toBe(401);
  expect(await ask(await sts.mintSubjectToken({ sub: 'alice', audience: AUDIENCE }), 'tools/call')).toBe(403);
  expect(await ask(await agentsToken(), 'tools/call')).toBe(403);
  expect(proxy.anonymous).toEqual(['tools/call']);
  expect(proxy.refused).toHaveLength(5);
  expect(received).toEqual([]);
});

test('the proxy lets users call and the agent list, and tells the server no token', async () => {
  const { proxy, received, ask, tokenOf, agentsToken } = await startWorld();
  expect(await ask(await tokenOf('alice'), 'tools/call')).toBe(200);
  expect(await ask(await agentsToken(), 'tools/list')).toBe(200);
  expect(proxy.passed).toEqual([
    { sub: 'alice', actor: AGENT, method: 'tools/call', tool: 'echo' },
    { sub: AGENT, actor: undefined, method: 'tools/list', tool: undefined },
  ]);
  expect(received).toEqual(['no token', 'no token']);
});

test('the proxy lets nobody into a session that another has opened', async () => {
  const { proxy, ask, tokenOf, agentsToken } = await startWorld();
  expect(await ask(await tokenOf('alice'), 'initialize')).toBe(200);
  expect(await ask(await tokenOf('alice'), 'tools/call', 'session-1')).toBe(200);
  expect(await ask(await tokenOf('bob'), 'tools/call', 'session-1')).toBe(403);
  expect(await ask(await agentsToken(), 'tools/list', 'session-1')).toBe(403);
  expect(proxy.refused).toEqual(['bob in a session of alice', 'agent in a session of alice']);
  expect([...proxy.sessions.values()]).toEqual(['alice']);
});
