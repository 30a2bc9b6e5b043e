// The sessions that the users of one client have at the server: when they are opened, and when they end.
import { describe, expect, test } from 'vitest';
import { type Delegation, runAs } from '../../src/index.ts';
import { subjectJwt } from '../support/sts.ts';
import { bareClient, connectBare, fetchAt, type Scene, startScene } from './any-client.ts';
import { result } from './strict-server.ts';
import { createGate, failed, failure } from './support.ts';

const sessionsOf = (at: Scene, sub: string): Set<string | undefined> =>
  new Set(
    at.server
      .of('tools/call')
      .filter((seen) => seen.sub === sub)
      .map(({ session }) => session),
  );

describe('a session that the server has forgotten', () => {
  test('is opened anew, and the call is carried out once', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    await client.call(at.alice);
    at.server.restart();
    expect(await client.call(at.alice)).toBe('you are alice');
    expect(at.server.log().slice(5)).toEqual([
      'tools/call alice 404',
      'initialize alice 200',
      'notifications/initialized alice 202',
      'tools/call alice 200',
    ]);
    expect(at.server.executed).toHaveLength(2);
    expect(at.sts.exchanges).toBe(1);
  });

  test('is opened anew once for many calls at once, each of which is carried out once', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    await client.call(at.alice);
    const gate = createGate();
    let come = 0;
    at.server.answer = async ({ method }) => {
      if (method === 'tools/call' && ++come <= 12) await gate.wait();
      return false;
    };
    at.server.restart();
    const calls = Array.from({ length: 12 }, () => client.call(at.alice));
    await gate.reached(12);
    gate.open();
    expect(await Promise.all(calls)).toEqual(Array(12).fill('you are alice'));
    expect(at.server.log('initialize')).toEqual([
      'initialize - 200',
      'initialize alice 200',
      'initialize alice 200',
    ]);
    expect(at.server.executed).toHaveLength(13);
  });

  test('is opened anew while it is being opened, too', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    at.server.refuse('notifications/initialized', 404);
    expect(await client.call(at.alice)).toBe('you are alice');
    expect(at.server.executed).toEqual(['whoami alice']);
  });

  test('again and again is told: the call is sent twice and no more', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    at.server.refuse('tools/call', 404, { times: 9 });
    const response = await runAs(at.alice, () => client.send('tools/call', { params: { name: 'whoami' } }));
    expect(response.status).toBe(404);
    expect(at.server.of('tools/call')).toHaveLength(2);
  });

  test('of the client itself is opened anew for what the client finds out', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    at.server.restart();
    expect((await client.send('tools/list')).status).toBe(200);
    expect((await client.get()).status).toBe(405);
    expect(at.server.log('initialize', 'tools/list')).toEqual([
      'initialize - 200',
      'tools/list - 404',
      'initialize - 200',
      'tools/list - 200',
    ]);
  });

  test('is not what 404 means at a server without session ids: it is an answer', async () => {
    const at = await startScene({ server: { stateless: true } });
    const client = await connectBare(at.server.url, at.fetch);
    at.server.refuse('tools/call', 404);
    const response = await runAs(at.alice, () => client.send('tools/call', { params: { name: 'whoami' } }));
    expect(response.status).toBe(404);
    expect(at.server.of('tools/call')).toHaveLength(1);
  });
});

test('a server without session ids is called without one, and nothing is opened for a user', async () => {
  const at = await startScene({ server: { stateless: true } });
  const client = await connectBare(at.server.url, at.fetch);
  expect(await client.call(at.alice)).toBe('you are alice');
  expect(at.server.log()).toEqual([
    'initialize - 200',
    'notifications/initialized - 202',
    'tools/call alice 200',
  ]);
  expect([client.id, at.fetch.sessions]).toEqual([undefined, 0]);
});

test('a server that gives the client an id but users none is called without one for them', async () => {
  const at = await startScene();
  const client = await connectBare(at.server.url, at.fetch);
  at.server.answer = ({ method, id, sub, session }, response) => {
    if (method === 'initialize') result(response, id, { protocolVersion: '2025-06-18' });
    else result(response, id, { content: [{ type: 'text', text: `${sub} ${session}` }] });
    return true;
  };
  expect(await client.call(at.alice)).toBe('alice undefined');
});

describe('the session id that a client knows', () => {
  test('stays, though the server repeats the user’s own in every answer', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    for (const status of [200, 202, 400, 404, 500]) {
      at.server.answer = ({ method, session = '' }, response) => {
        if (method !== 'tools/call') return false;
        response.writeHead(status, { 'mcp-session-id': session, 'x-other': 'stays' }).end('{}');
        return true;
      };
      const response = await runAs(at.alice, () => client.send('tools/call'));
      const [{ session } = { session: '' }] = at.server.of('tools/call').slice(-1);
      expect(session).not.toBe(client.id);
      expect([status, response.status, response.headers.get('mcp-session-id')]).toEqual([
        status,
        status,
        client.id,
      ]);
      expect(response.headers.get('x-other')).toBe('stays');
    }
  });

  test('is not the server’s, and neither reaches the server under a user’s token', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    await client.call(at.alice);
    await client.call(at.bob);
    expect(at.server.requests.filter(({ sub, session }) => sub !== '-' && session === 's1')).toEqual([]);
    expect(at.server.requests.filter(({ session }) => session === client.id)).toEqual([]);
  });

  test('that this fetch gave to nobody is answered 404 without asking the server', async () => {
    const at = await startScene();
    const client = await connectBare(at.server.url, at.fetch);
    client.id = 'stolen';
    at.server.requests.length = 0;
    const response = await runAs(at.alice, () => client.send('tools/call', { params: { name: 'whoami' } }));
    expect(response.status).toBe(404);
    expect((await client.end()).status).toBe(204);
    expect(at.server.requests).toEqual([]);
  });

  test('is known no more as soon as the client has begun to end it', async () => {
    const at = await startScene({ fetch: { discovery: 'delegated' } });
    const client = await runAs(at.alice, () => connectBare(at.server.url, at.fetch));
    const gate = createGate();
    at.server.answer = async ({ method }) => {
      if (method === 'DELETE') await gate.wait();
      return false;
    };
    const ending = client.end();
    await gate.reached(1);
    const response = await runAs(at.bob, () => client.send('tools/call', { params: { name: 'whoami' } }));
    gate.open();
    expect([response.status, (await ending).status]).toEqual([404, 204]);
    expect(at.server.violations).toEqual([]);
    expect(at.server.executed).toEqual([]);
  });
});

describe('the client’s own session under a user’s identity', () => {
  test('ends with that user’s run; the others’ sessions stay, and theirs are opened as before', async () => {
    const at = await startScene({ server: { open: 'nothing' } });
    const client = await runAs(at.alice, () => connectBare(at.server.url, at.fetch));
    await client.call(at.alice);
    expect(at.fetch.sessions).toBe(1);
    await client.call(at.bob);
    at.broker.end(at.alice);
    await at.fetch.settled();
    expect(await client.call(at.bob)).toBe('you are bob');
    expect(await client.call(at.begin('carol'))).toBe('you are carol');
    expect(at.server.violations).toEqual([]);
    expect([...at.server.sessions.values()]).toEqual(['bob', 'carol']);
  });
});

test('runs of one user with the same label share a session, which ends with the last of them', async () => {
  const at = await startScene();
  const client = await connectBare(at.server.url, at.fetch);
  const subjectToken = subjectJwt('alice');
  const [one, two] = [0, 1].map(() => at.broker.begin({ subjectToken, session: 'chat' })) as [
    Delegation,
    Delegation,
  ];
  await client.call(one);
  await client.call(two);
  expect(sessionsOf(at, 'alice').size).toBe(1);
  at.broker.end(one);
  await at.fetch.settled();
  expect(await failure(client.call(one))).toMatchObject({ code: 'delegation_ended' });
  await client.call(two);
  expect(sessionsOf(at, 'alice').size).toBe(1);
  at.broker.end(two);
  await at.fetch.settled();
  expect(at.server.log('DELETE')).toEqual(['DELETE alice 200']);
});

test('a run that ends while its group’s session is opened harms no other run of the group', async () => {
  const at = await startScene();
  const client = await connectBare(at.server.url, at.fetch);
  const subjectToken = subjectJwt('alice');
  const [leaves, stays] = [0, 1].map(() => at.broker.begin({ subjectToken, session: 'chat' })) as [
    Delegation,
    Delegation,
  ];
  const gate = createGate();
  at.server.answer = async ({ method, sub }) => {
    if (method === 'initialize' && sub === 'alice') await gate.wait();
    return false;
  };
  const leaving = failed(client.call(leaves));
  await gate.reached(1);
  const staying = client.call(stays);
  at.broker.end(leaves);
  gate.open();
  expect(await staying).toBe('you are alice');
  expect(await leaving).toMatchObject({ code: 'delegation_ended' });
  expect(at.server.executed).toEqual(['whoami alice']);
});

test('of more clients than anybody has, the oldest is forgotten, and its sessions are ended', async () => {
  const at = await startScene();
  // A server that answers from within, or this would take minutes.
  const ended: unknown[] = [];
  let opened = 0;
  const send = async (_url: string, { method, headers }: RequestInit): Promise<Response> => {
    if (method === 'DELETE') ended.push(new Headers(headers).get('mcp-session-id'));
    opened += method === 'POST' ? 1 : 0;
    return Response.json({}, { headers: method === 'POST' ? { 'mcp-session-id': `s${opened}` } : {} });
  };
  const fetch = fetchAt({ broker: at.broker, url: at.server.url, fetch: send, maxSessions: 20_000 });
  const connect = (): Promise<Response> => bareClient(at.server.url, fetch).send('initialize');
  for (let index = 0; index < 10_000; index++) await connect();
  expect(ended).toEqual([]);
  await connect();
  await fetch.settled();
  expect(ended).toEqual(['s1']);
  expect(fetch.sessions).toBe(10_000);
});
