// Under whose identity a client connects and lists: the option `discovery`.
import { describe, expect, test } from 'vitest';
import { runAs } from '../../src/index.ts';
import { bareClient, connectBare, fetchAt, INITIALIZE, type Scene, startScene } from './any-client.ts';
import { end, type StrictOptions } from './strict-server.ts';
import { failure } from './support.ts';

const AGENT_TOKEN = 'token-of-the-agent';

interface Options {
  readonly open?: StrictOptions['open'];
  readonly discovery?: 'auto' | 'anonymous' | 'agent' | 'delegated';
  readonly agent?: boolean;
}

async function scene({
  open = 'discovery',
  discovery,
  agent = false,
}: Options): Promise<Scene & { asked: number[] }> {
  const asked: number[] = [];
  const agentCredential = () => {
    asked.push(Date.now());
    return AGENT_TOKEN;
  };
  const fetch = { ...(discovery && { discovery }), ...(agent && { agentCredential }) };
  return { ...(await startScene({ server: { open }, fetch })), asked };
}

const as = ({ server }: Scene): string[] =>
  server.requests.map(({ method, sub, status }) => `${method} ${sub} ${status}`);

describe('auto', () => {
  test('tries without identity, then as the agent, and remembers what the server took', async () => {
    const at = await scene({ open: 'nothing', agent: true });
    const client = await connectBare(at.server.url, at.fetch);
    await client.send('tools/list');
    await client.send('tools/list');
    expect(as(at)).toEqual([
      'initialize - 401',
      `initialize ${AGENT_TOKEN} 200`,
      `notifications/initialized ${AGENT_TOKEN} 202`,
      `tools/list ${AGENT_TOKEN} 200`,
      `tools/list ${AGENT_TOKEN} 200`,
    ]);
    expect([at.asked.length, at.sts.exchanges]).toEqual([1, 0]);
  });

  test('tries as the user last, and the user’s call goes into that very session', async () => {
    const at = await scene({ open: 'nothing' });
    const client = await runAs(at.alice, () => connectBare(at.server.url, at.fetch));
    await runAs(at.alice, () => client.send('tools/list'));
    await client.call(at.alice);
    expect(as(at)).toEqual([
      'initialize - 401',
      'initialize alice 200',
      'notifications/initialized alice 202',
      'tools/list alice 200',
      'tools/call alice 200',
    ]);
    expect(at.sts.exchanges).toBe(1);
  });

  test('lists for another user in that user’s session', async () => {
    const at = await scene({ open: 'nothing' });
    const client = await runAs(at.alice, () => connectBare(at.server.url, at.fetch));
    expect((await runAs(at.bob, () => client.send('tools/list'))).status).toBe(200);
    expect(at.server.log('tools/list')).toEqual(['tools/list bob 200']);
    expect(at.server.violations).toEqual([]);
  });

  test('goes on from an agent that is refused to the user', async () => {
    const at = await scene({ open: 'nothing', agent: true });
    at.server.answer = ({ sub }, response) => {
      if (sub !== AGENT_TOKEN) return false;
      response.writeHead(403).end();
      return true;
    };
    await runAs(at.alice, () => connectBare(at.server.url, at.fetch));
    expect(as(at).slice(0, 3)).toEqual([
      'initialize - 401',
      `initialize ${AGENT_TOKEN} 403`,
      'initialize alice 200',
    ]);
  });

  test('with nobody known says what can be done, and exchanges nothing', async () => {
    const at = await scene({ open: 'nothing' });
    const error = await failure(connectBare(at.server.url, at.fetch));
    expect(error).toMatchObject({ code: 'delegation_missing', failure: 'misconfigured' });
    expect(error.message).toMatch(
      /status 401 to "initialize".*give an "agentCredential", or connect inside runAs\(delegation, \.\.\.\)/,
    );
    expect([as(at), at.sts.exchanges]).toEqual([['initialize - 401'], 0]);
  });

  test.each([404, 429, 500])('takes status %i for an answer: no other identity is tried', async (status) => {
    const at = await scene({ open: 'nothing', agent: true });
    at.server.refuse('initialize', status);
    const response = await runAs(at.alice, () => bareClient(at.server.url, at.fetch).send('initialize'));
    expect(response.status).toBe(status);
    expect(as(at)).toEqual([`initialize - ${status}`]);
  });

  test.each(['initialize', 'tools/list'])(
    'takes a failure of %s for one: no other identity is tried',
    async (method) => {
      const at = await scene({ open: 'nothing', agent: true });
      at.server.answer = (_seen, response) => {
        response.destroy();
        return true;
      };
      const asked = runAs(at.alice, () => bareClient(at.server.url, at.fetch).send(method));
      expect((await failure(asked)).code).toBe('server_unreachable');
      expect(at.server.requests.map(({ sub }) => sub)).toEqual(['-']);
    },
  );

  test('goes on, outside any run, with the identity that the client has connected under', async () => {
    const at = await scene({ open: 'nothing' });
    const client = bareClient(at.server.url, at.fetch);
    const response = await runAs(at.alice, () => client.send('initialize', { params: INITIALIZE }));
    client.id = response.headers.get('mcp-session-id') ?? '';
    expect((await client.send('notifications/initialized')).status).toBe(202);
    expect((await client.get()).status).toBe(405);
    expect(as(at).slice(2)).toEqual(['notifications/initialized alice 202', 'GET alice 405']);
  });

  test('notes no session that an answer names which is none', async () => {
    const at = await scene({ open: 'everything' });
    at.server.answer = (_seen, response) => end(response, 500, { 'mcp-session-id': 'none' });
    expect((await bareClient(at.server.url, at.fetch).send('initialize')).status).toBe(500);
    expect(at.fetch.sessions).toBe(0);
  });

  test('whose last identity is refused too fails with that refusal', async () => {
    const at = await scene({ open: 'nothing' });
    at.server.refuse('initialize', 401, { times: 4 });
    const error = await failure(runAs(at.alice, () => connectBare(at.server.url, at.fetch)));
    expect(error).toMatchObject({ code: 'server_rejected_token', status: 401 });
  });

  test('keeps to what worked where it works no more only until something else does', async () => {
    const at = await scene({ open: 'discovery', agent: true });
    const client = await connectBare(at.server.url, at.fetch);
    await client.send('tools/list');
    at.server.answer = ({ token }, response) => {
      if (token !== undefined) return false;
      response.writeHead(401).end();
      return true;
    };
    expect((await client.send('tools/list')).status).toBe(200);
    at.server.requests.length = 0;
    expect((await client.send('tools/list')).status).toBe(200);
    expect(as(at)).toEqual([`tools/list ${AGENT_TOKEN} 200`]);
  });
});

describe('the policy', () => {
  test('anonymous shows the server nobody, though a user and an agent are known', async () => {
    const at = await scene({ open: 'nothing', discovery: 'anonymous', agent: true });
    const error = await failure(runAs(at.alice, () => connectBare(at.server.url, at.fetch)));
    expect(error).toMatchObject({ code: 'server_rejected_token', status: 401 });
    expect([as(at), at.asked, at.sts.exchanges]).toEqual([['initialize - 401'], [], 0]);
  });

  test('agent shows it the agent alone', async () => {
    const at = await scene({ open: 'nothing', discovery: 'agent', agent: true });
    const client = await runAs(at.alice, () => connectBare(at.server.url, at.fetch));
    await runAs(at.alice, () => client.send('tools/list'));
    expect(new Set(at.server.requests.map(({ sub }) => sub))).toEqual(new Set([AGENT_TOKEN]));
    expect(await client.call(at.alice)).toBe('you are alice');
    expect(at.server.violations).toEqual([]);
  });

  test('agent without a credential is a mistake that is told at once', async () => {
    const at = await scene({});
    const make = () => fetchAt({ broker: at.broker, url: at.server.url, discovery: 'agent' });
    expect(make).toThrow(/agentCredential/);
  });

  test('delegated shows it the user alone, and nobody is not enough', async () => {
    const at = await scene({ open: 'everything', discovery: 'delegated' });
    expect(await failure(connectBare(at.server.url, at.fetch))).toMatchObject({ code: 'delegation_missing' });
    expect(at.server.requests).toEqual([]);
    await runAs(at.bob, () => connectBare(at.server.url, at.fetch));
    expect(as(at)).toEqual(['initialize bob 200', 'notifications/initialized bob 202']);
  });

  test('of another name is a mistake', async () => {
    const at = await scene({});
    const make = () => fetchAt({ broker: at.broker, url: at.server.url, discovery: 'nobody' as 'auto' });
    expect(make).toThrow(TypeError);
  });
});

describe('what the client itself would send as Authorization', () => {
  test.each(['Authorization', 'authorization'])('in %s never reaches an anonymous request', async (name) => {
    const at = await scene({ open: 'everything' });
    const client = bareClient(at.server.url, at.fetch);
    const init = { headers: { [name]: 'Bearer of-the-client' } };
    client.id =
      (await client.send('initialize', { params: INITIALIZE, init })).headers.get('mcp-session-id') ?? '';
    await client.send('notifications/initialized', { init });
    await client.send('tools/list', { init });
    await runAs(at.alice, () => client.send('tools/list', { init }));
    await client.get();
    expect(at.server.requests.map(({ sub }) => sub)).toEqual(Array(5).fill('-'));
    await client.call(at.alice, init);
    expect(at.server.requests.some(({ token }) => token === 'of-the-client')).toBe(false);
  });
});

describe('what is no discovery', () => {
  test.each([
    'tools/call',
    'resources/read',
    'prompts/get',
    'completion/complete',
    'resources/subscribe',
    'x',
  ])('%s needs a user, and nothing is sent without one', async (method) => {
    const at = await scene({ open: 'everything', agent: true });
    const client = await connectBare(at.server.url, at.fetch);
    at.server.requests.length = 0;
    expect(await failure(client.send(method))).toMatchObject({ code: 'delegation_missing' });
    expect(at.server.requests).toEqual([]);
    await runAs(at.alice, () => client.send(method));
    expect(at.server.of(method).map(({ sub }) => sub)).toEqual(['alice']);
  });

  test.each<[string, unknown]>([
    ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]'],
    ['no JSON', '{'],
    ['bytes', new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')],
    ['null', 'null'],
    ['a method that is no text', '{"jsonrpc":"2.0","id":1,"method":{"a":1}}'],
    ['a method of the prototype', '{"jsonrpc":"2.0","id":1,"method":"constructor"}'],
  ])('%s needs a user too: what it is, nobody has read', async (_what, body) => {
    const at = await scene({ open: 'everything' });
    const post = () => at.fetch(at.server.url, { method: 'POST', body: body as string });
    expect(await failure(post())).toMatchObject({ code: 'delegation_missing' });
    expect(at.server.requests).toEqual([]);
  });

  test('a GET that asks for no events needs a user', async () => {
    const at = await scene({ open: 'everything' });
    expect(await failure(at.fetch(at.server.url))).toMatchObject({ code: 'delegation_missing' });
  });

  test('a cancellation of what nobody asked for is told to nobody', async () => {
    const at = await scene({});
    const client = await connectBare(at.server.url, at.fetch);
    at.server.requests.length = 0;
    const response = await client.send('notifications/cancelled', { params: { requestId: 99 } });
    expect([response.status, at.server.requests]).toEqual([202, []]);
  });

  test('an answer of the client within a run goes into that user’s session, else into the client’s own', async () => {
    const at = await scene({ open: 'everything' });
    const client = await connectBare(at.server.url, at.fetch);
    await client.call(at.alice);
    const headers = { 'mcp-session-id': client.id ?? '' };
    const answer = (body: string) => () => at.fetch(at.server.url, { method: 'POST', headers, body });
    await runAs(at.alice, answer('{"jsonrpc":"2.0","id":1,"result":{}}'));
    await answer('{"jsonrpc":"2.0","id":2,"error":{"code":1,"message":"no"}}')();
    const last = at.server.requests.slice(-2).map(({ sub, session }) => `${sub} ${session}`);
    expect(last).toEqual(['alice s2', '- s1']);
    expect(at.server.violations).toEqual([]);
  });

  test('progress that the client tells goes likewise', async () => {
    const at = await scene({ open: 'everything' });
    const client = await connectBare(at.server.url, at.fetch);
    await client.send('notifications/progress');
    await runAs(at.bob, () => client.send('notifications/progress'));
    expect(at.server.of('notifications/progress').map(({ sub }) => sub)).toEqual(['-', 'bob']);
  });
});
