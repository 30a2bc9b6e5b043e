// The list of what kagent's own tests assert of its token exchange, item by item. Each that can be seen over HTTP has a test here, with its
// item as title, at an agent server with an STS that writes down what it is sent; where we do otherwise, by intention, the test says what
// is done instead, and docs/kagent.md why ("What is different"). The rest is held elsewhere:
//
// | Item                                             | Held by                                                                        |
// |--------------------------------------------------|--------------------------------------------------------------------------------|
// | second run, expiry, buffer, actor, host, STS      | kagent-compat-cache.test.ts, with their items as titles                        |
// | metadata                                         |                                                                                |
// | a custom subject getter is used                  | adk/s1-before-run.test.ts: by the getter, which is asked once a run, with ...  |
// |                                                  | (the agent server has none: the token is that of the request)                  |
// | actor: sync or async                             | broker/actor-cache.test.ts: a source may give %s                               |
// | comma-separated lists: empty, blank, trimmed     | kagent-environment.test.ts: the variables of kagent fill in ...; an audience   |
// |                                                  | of %j is none                                                                  |
// | header provider: allow-list only, any case; the  | tools-headers.test.ts: what may be handed on wins over static fields, and the  |
// | STS beats a duplicate                            | token over all, each name once; adk/s4-header-provider.test.ts                 |
// | every field of config.json                       | config/kagent.test.ts                                                          |
// | the contract of an image                         | process.test.ts: it meets what kagent expects of an image ...                  |
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import type { AgentServer } from '../../src/agent/types.ts';
import { fakeJwt } from '../support/jwt.ts';
import type { Received } from '../support/loopback.ts';
import { calls, EXCHANGE, kept, setAgent, stateOf, tokenOf } from './kagent-compat-support.ts';
import { folderOf, playing, send, serve, startKeeper, tokensAt } from './support.ts';

test('empty cache at start', async () => {
  const { sts, server } = await setAgent();

  expect(await kept(server)).toBe(0);
  expect(sts.received).toEqual([]);
});

test.each<[string, string | undefined]>([
  ['no headers', undefined],
  ['no subject', fakeJwt({ iss: 'https://idp.example', exp: 4e9 })],
])('%s: nothing cached', async (_, token) => {
  const { sts, keeper, server } = await setAgent({ retention: 'subject' });

  expect((await send(server, token)).status).toBe(401);

  expect(await kept(server)).toBe(0);
  expect([sts.received, keeper.requests]).toEqual([[], []]);
});

test.each<[string, string | undefined, number]>([
  ['missing', undefined, 401],
  ['wrong scheme', 'Basic aGVscGVyOng=', 401],
  ['empty', '', 401],
  ['whitespace', ' \t ', 401],
  ['scheme without a token', 'Bearer', 400],
  ['scheme and whitespace', 'Bearer  ', 400],
])('header parsing: %s', async (_, authorization, status) => {
  const { sts, keeper, server } = await setAgent();

  const response = await post(server, authorization);

  expect(response.status).toBe(status);
  expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
  expect([sts.received, keeper.requests]).toEqual([[], []]);
});

test('header parsing: the scheme in any case, and more than one space', async () => {
  const { keeper, server } = await setAgent();

  expect((await post(server, `bEARER   ${tokenOf('alice')}`)).status).toBe(200);

  expect(tokensAt(keeper).map((token) => decodeJwt(token ?? '').sub)).toEqual(['alice']);
});

function post({ url }: AgentServer, authorization: string | undefined): Promise<Response> {
  const message = { kind: 'message', role: 'user', messageId: 'm', parts: [{ kind: 'text', text: 'Go.' }] };
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(authorization !== undefined && { authorization }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'message/send', params: { message } }),
  });
}

test.each<[string, object, readonly string[], readonly string[]]>([
  ['one audience', { audiences: ['api://Calendar/ä b'] }, ['api://Calendar/ä b'], []],
  ['many audiences', { audiences: ['z', 'a', 'm'] }, ['z', 'a', 'm'], []],
  ['one resource', { resources: ['https://r.example/A?b=c'] }, [], ['https://r.example/A?b=c']],
  [
    'many of both',
    { audiences: ['b', 'a'], resources: ['https://r.example/2', 'https://r.example/1'] },
    ['b', 'a'],
    ['https://r.example/2', 'https://r.example/1'],
  ],
  ['omitted when unset', { scopes: ['read'] }, [], []],
])('audience and resource forwarded verbatim: %s', async (_, target, audience, resource) => {
  const { sts, server } = await setAgent({ target });

  await send(server, tokenOf('alice'));

  const [form, ...more] = sts.exchanges().map((seen) => seen.form);
  expect(more).toEqual([]);
  expect(form?.getAll('audience')).toEqual(audience);
  expect(form?.getAll('resource')).toEqual(resource);
});

test('form field names and repeated fields in order', async () => {
  const actor = { source: 'file', path: join(folderOf({}), 'actor') };
  writeFileSync(actor.path, tokenOf('helper'));
  const target = { audiences: ['b', 'a'], resources: ['https://r.example/2'], scopes: ['write', 'read'] };
  const { sts, server } = await setAgent({ target, service: () => ({ actor }) });
  const alice = tokenOf('alice');

  await send(server, alice);

  const [{ method, path, headers, form } = {} as Received] = sts.exchanges();
  expect([method, path, headers['content-type']]).toEqual([
    ...['POST', '/token'],
    expect.stringMatching(/^application\/x-www-form-urlencoded/),
  ]);
  const jwt = 'urn:ietf:params:oauth:token-type:jwt';
  expect([...form].filter(([name]) => name === 'audience')).toEqual([
    ['audience', 'b'],
    ['audience', 'a'],
  ]);
  expect(Object.fromEntries(form)).toEqual({
    ...{ grant_type: EXCHANGE, client_id: 'helper', resource: 'https://r.example/2', audience: 'a' },
    ...{ scope: 'read write', subject_token: alice, actor_token_type: jwt },
    ...{ subject_token_type: expect.stringContaining(':token-type:'), actor_token: expect.any(String) },
  });
});

// "The raw token is propagated (opt-in)" is what we never do.
test('no STS configured: the raw token is not propagated, not even where that is asked for', async () => {
  const [keeper, warnings] = [await startKeeper('look'), [] as string[]];
  const config = {
    ...{ name: 'team/helper', model: playing(['look']), authentication: { mode: 'trusted_proxy' } },
    http_tools: [{ name: 'calendar', params: { url: keeper.url } }],
  };
  const server = await serve(config, {
    environment: { KAGENT_PROPAGATE_TOKEN: 'true' },
    onWarning: (warning) => warnings.push(warning),
  });

  expect(stateOf(await send(server, tokenOf('alice')))).toBe('completed');

  expect(calls(keeper)).toBe(1);
  expect(keeper.requests.flatMap(({ authorization }) => authorization ?? [])).toEqual([]);
  expect(warnings).toContainEqual(expect.stringContaining('KAGENT_PROPAGATE_TOKEN is passed over'));
});

test('exchange success: `Bearer <exchanged>`', async () => {
  const { sts, keeper, server } = await setAgent();

  expect(stateOf(await send(server, tokenOf('alice')))).toBe('completed');

  expect(sts.issued).toHaveLength(1);
  expect(keeper.of('tools/call').map(({ authorization }) => authorization)).toEqual([
    `Bearer ${sts.issued[0]}`,
  ]);
});

// kagent logs the failure and goes on without a token, or with the user's own.
test('exchange failure: no call, and the model is told', async () => {
  const { sts, keeper, server } = await setAgent({
    service: () => ({ token_endpoint: 'http://127.0.0.1:9/token' }),
  });

  const { text } = await send(server, tokenOf('alice'));

  expect(text).toMatch(/sts_unreachable/);
  expect([sts.issued.length, calls(keeper)]).toEqual([0, 0]);
});
