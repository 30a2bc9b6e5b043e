import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LlmRequest } from '@google/adk';
import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import { knownCaller } from '../../src/agent/caller.ts';
import { createHeaderFetch } from '../../src/agent/header-fetch.ts';
import { createModel } from '../../src/agent/models.ts';
import { ScriptedModel } from '../../src/agent/scripted-model.ts';
import { targetOf } from '../../src/agent/token-services.ts';
import { securityToken } from '../../src/core/token-types.ts';
import { failureOf as failure } from '../support/failure.ts';
import { fakeJwt } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { always, never, startLoopback } from '../support/loopback.ts';
import { startRawMcp } from '../support/raw-mcp.ts';
import { AGENT, callsAt, configOf, folderOf, send, serve, setStage, tokenService } from './support.ts';

test('a header field from a file is read anew for each request, below what the request has', async () => {
  const server = await startLoopback(always({}));
  const file = join(folderOf({}), 'key');
  writeFileSync(file, 'first\n');
  const headers = { 'X-Key': `file:${file}`, authorization: `Bearer \${KEY}`, 'x-plain': 'plain' };
  const fetch = createHeaderFetch(
    { params: { url: server.origin, headers } },
    { KEY: 'static' },
    'http_tools[0].params',
  );

  await fetch(server.origin, {});
  writeFileSync(file, 'second\n');
  await fetch(server.origin, { headers: { Authorization: 'Bearer delegated', 'x-plain': 'own' } });

  expect(
    server.received.map(({ headers: got }) => [got['x-key'], got.authorization, got['x-plain']]),
  ).toEqual([
    ['first', 'Bearer static', 'plain'],
    ['second', 'Bearer delegated', 'own'],
  ]);
});

test('a header field that cannot be had stops the request, and shows in no error', async () => {
  const server = await startLoopback(always({}));
  const fetch = (headers: Record<string, string>) =>
    createHeaderFetch(
      { params: { url: server.origin, headers } },
      {},
      'http_tools[0].params',
    )(server.origin, {});

  const missing = await failure(fetch({ 'x-key': 'file:/no/such/file' }));
  const broken = await failure(fetch({ 'x-key': 'secret\nvalue' }));

  expect(missing.message).toContain('"http_tools[0].params.headers.x-key"');
  expect(broken.message).toBe('"http_tools[0].params.headers.x-key" is no value of a header field');
  expect(server.received).toEqual([]);
});

test('an answer that does not begin in time is given up', async () => {
  const server = await startLoopback(never);
  const fetch = createHeaderFetch(
    { params: { url: server.origin, timeout: 0.02 } },
    {},
    'http_tools[0].params',
  );

  const { code, message } = await failure(fetch(server.origin, {}));

  expect([code, message]).toEqual(['server_unreachable', 'the server did not answer within 20 ms']);
});

test('a header field of the config goes to the server, and the delegated token wins over its Authorization', async () => {
  const stage = await setStage();
  const raw = await startRawMcp();
  const params = { url: raw.url, headers: { Authorization: 'Bearer of-the-operator' } };
  const server = await serve({
    ...configOf(stage, []),
    model: { type: 'scripted', model: 'script', turns: [{ calls: [{ name: 't' }] }, { text: 'Done.' }] },
    http_tools: [{ name: 'raw', params, sts_audience: 'calendar', discovery: 'anonymous' }],
  });

  await send(server, await stage.token('alice'));

  expect(raw.of('tools/list').map(({ authorization }) => authorization)).toEqual(['Bearer of-the-operator']);
  const [call, ...more] = raw.of('tools/call');
  expect(more).toEqual([]);
  const token = call?.authorization?.replace(/^Bearer /, '') ?? '';
  expect(stage.tokens).toContain(token);
  expect(decodeJwt(token)).toMatchObject({ sub: 'alice', aud: 'calendar', act: { sub: AGENT } });
});

test('tools may be listed with a token of the agent, and are called with one of the user', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar', { requireTokenForDiscovery: true });
  const config = configOf(stage, [calendar]);
  const server = await serve({
    ...config,
    http_tools: [
      {
        ...{ name: 'calendar', params: { url: calendar.url }, discovery: 'agent', tools: ['calendar_tool'] },
        token_exchange: { audiences: ['calendar'] },
      },
    ],
    token_exchange: { token_services: { sts: tokenService(stage.sts) }, retention: 'subject' },
  });
  const alice = await stage.token('alice');

  await send(server, alice);
  await send(server, alice);

  const listings = calendar.requests.filter(({ method }) => method === 'tools/list');
  expect(new Set(listings.map(({ sub }) => sub))).toEqual(new Set([AGENT]));
  expect(callsAt(calendar)).toEqual(Array(2).fill(`alice for calendar by ${AGENT}: 200`));
  // Kept for the subject: the second run exchanges nothing.
  expect(stage.sts.exchanges.length).toBe(1);
});

test("a target is what the server says, with the token service's profile where it says none", () => {
  expect(targetOf({}, undefined)).toBeUndefined();
  expect(targetOf({ sts_audience: 'a' }, { profile: 'entra-obo' })).toMatchObject({
    ...{ audience: ['a'], profile: 'entra-obo' },
  });
  const fields = { resources: ['https://r.example'], scopes: ['s'], profile: 'rfc8693' } as const;
  expect(targetOf({ token_exchange: fields }, { profile: 'entra-obo' })).toEqual({
    ...{ audience: undefined, resource: ['https://r.example'], scope: ['s'] },
    ...{ requestedTokenType: undefined, profile: 'rfc8693' },
  });
});

test('a scripted model plays its turns anew for each message of the user', async () => {
  const model = new ScriptedModel('script', [
    { text: 'I look.', calls: [{ name: 'look', args: { at: 1 } }] },
    { text: 'Done.' },
  ]);
  const say = (text: string): LlmRequest['contents'][number] => ({ role: 'user', parts: [{ text }] });
  const contents = [say('Go.')];
  const next = async (): Promise<unknown[] | undefined> => {
    for await (const { content } of model.generateContentAsync({ contents } as LlmRequest)) {
      if (content) contents.push(content);
      return content?.parts;
    }
    return undefined;
  };

  expect(await next()).toEqual([{ text: 'I look.' }, { functionCall: { name: 'look', args: { at: 1 } } }]);
  contents.push({ role: 'user', parts: [{ functionResponse: { name: 'look', response: {} } }] });
  expect(await next()).toEqual([{ text: 'Done.' }]);
  expect(await next()).toEqual([{ text: 'The script has no further turn.' }]);
  contents.push(say('Again.'));
  expect((await next())?.[0]).toEqual({ text: 'I look.' });
});

test('a scripted model answers a message with just the text of a script by that script, and any other by its turns', async () => {
  const model = new ScriptedModel('script', [{ text: 'Any.' }], {
    'Hello.': [{ text: 'Hi.' }, { text: 'More.' }],
  });
  const answerTo = async (...contents: unknown[]): Promise<unknown> => {
    for await (const { content } of model.generateContentAsync({ contents } as LlmRequest)) {
      return content?.parts?.[0]?.text;
    }
    return undefined;
  };
  const say = (...texts: string[]) => ({ role: 'user', parts: texts.map((text) => ({ text })) });

  expect(await answerTo(say('Hello.'))).toBe('Hi.');
  expect(await answerTo(say('Hel', 'lo.'), { role: 'model', parts: [] })).toBe('More.');
  expect(await answerTo(say('Hello'))).toBe('Any.');
  expect(await answerTo(say('constructor'))).toBe('Any.');
});

test('a key that the environment does not have is told', async () => {
  const settings = { type: 'gemini', model: 'gemini-x', api_key: `\${KEY}` } as const;

  expect(await createModel(settings, { KEY: 'a-fake-key' })).toMatchObject({ model: 'gemini-x' });
  await expect(createModel(settings, {})).rejects.toThrow('no variable KEY');
});

test('a caller is one user for one subject of one issuer, and shows no token', () => {
  const token = fakeJwt({ sub: 'alice' });
  const caller = knownCaller({ iss: 'https://a.example', sub: 'alice' }, securityToken(token));

  expect(caller.token()?.token).toBe(token);
  expectNoLeak({ caller, nested: [{ ...caller }] }, [token]);
  const names = [
    ['https://a.example', 'alice'],
    ['https://a.example', 'bob'],
    ['https://a.exampl', 'ealice'],
  ].map(([iss = '', sub = '']) => knownCaller({ iss, sub }, securityToken(fakeJwt())).userName);
  expect(names[0]).toBe(caller.userName);
  expect(new Set(names).size).toBe(3);
});
