// `failures: 'tool_result'`: a call that cannot be made is something the model reads, in every client.
import { beforeEach, describe, expect, test } from 'vitest';
import { runAs } from '../../src/index.ts';
import { expectNoLeak } from '../support/leaks.ts';
import {
  type AnyClient,
  bareClient,
  CLIENTS,
  connectBare,
  fetchAt,
  type Scene,
  startScene,
} from './any-client.ts';
import { end } from './strict-server.ts';
import { failed, failure } from './support.ts';

let at: Scene;

beforeEach(async () => {
  at = await startScene({ fetch: { failures: 'tool_result' } });
});

interface Told {
  readonly code: string;
  readonly failure: string;
  readonly server: string;
  readonly message: string;
  readonly retryable: boolean;
}

/** What a client shows of a failed call. */
async function told(client: AnyClient): Promise<Told> {
  const text = await runAs(at.alice, () => client.call());
  expect(text).toMatch(/^error: /);
  const parsed = JSON.parse(text.slice(7)) as { error: Told };
  expect(Object.keys(parsed)).toEqual(['error']);
  expect(Object.keys(parsed.error)).toEqual(['code', 'failure', 'server', 'message', 'retryable']);
  expect(parsed.error.server).toBe('calendar');
  return parsed.error;
}

const onCalls = (answer: (response: Parameters<NonNullable<typeof at.server.answer>>[1]) => void): void => {
  at.server.answer = ({ method }, response) => {
    if (method !== 'tools/call') return false;
    answer(response);
    return true;
  };
};

describe.each(CLIENTS)('in a %s client', (_version, connect) => {
  test.each([
    [401, 'server_rejected_token', 'denied', false],
    [403, 'server_rejected_token', 'denied', false],
    [404, 'server_failed', 'misconfigured', false],
    [429, 'server_failed', 'unavailable', true],
    [500, 'server_failed', 'unavailable', false],
    [307, 'server_failed', 'misconfigured', false],
  ])('status %i is the result %s, %s, retryable %s', async (status, code, failureClass, retryable) => {
    const client = await connect(at.server.url, at.fetch);
    onCalls((response) => end(response, status, { location: 'http://127.0.0.1:1/' }));
    expect(await told(client)).toMatchObject({ code, failure: failureClass, retryable });
  });

  test('a scope that is missing is a result that names it', async () => {
    const client = await connect(at.server.url, at.fetch);
    onCalls((response) =>
      end(response, 403, { 'www-authenticate': 'Bearer error="insufficient_scope", scope="write"' }),
    );
    expect(await told(client)).toMatchObject({ code: 'insufficient_scope', message: /"write"/ });
  });

  test('an answer that is cut off is a result, and the call is not made again', async () => {
    const client = await connect(at.server.url, at.fetch);
    onCalls((response) => void response.destroy());
    const error = await told(client);
    expect(error).toMatchObject({ code: 'server_failed', retryable: false });
    expect(error.message).toContain('whether the call was carried out is not known');
    expect(at.server.of('tools/call')).toHaveLength(1);
  });

  test('an answer that breaks off in the middle is a result', async () => {
    const client = await connect(at.server.url, at.fetch);
    onCalls((response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 500 });
      response.write('{"jsonrpc":', () => response.destroy());
    });
    expect(await told(client)).toMatchObject({ code: 'server_failed', retryable: false });
  });

  test.each(['', 'data: {"jsonrpc"', 'event: message\n', ': a comment\n\n'])(
    'a stream that breaks off after %j is a result',
    async (begun) => {
      const client = await connect(at.server.url, at.fetch);
      onCalls((response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.flushHeaders();
        if (begun === '') setImmediate(() => response.destroy());
        else response.write(begun, () => setImmediate(() => response.destroy()));
      });
      expect(await told(client)).toMatchObject({ code: 'server_failed', retryable: false });
      expect(at.server.of('tools/call')).toHaveLength(1);
    },
  );

  test('an STS that refuses is a result', async () => {
    const client = await connect(at.server.url, at.fetch);
    at.sts.handle((_request, response) => void response.writeHead(503).end());
    expect(await told(client)).toMatchObject({ code: 'sts_error', failure: 'unavailable', retryable: true });
    expect(at.server.of('tools/call')).toEqual([]);
  });

  test('a run that has ended is a result', async () => {
    const client = await connect(at.server.url, at.fetch);
    at.broker.end(at.alice);
    expect(await told(client)).toMatchObject({ code: 'delegation_ended' });
  });

  test('a call outside any run is a result', async () => {
    const client = await connect(at.server.url, at.fetch);
    expect(JSON.parse((await client.call()).slice(7))).toMatchObject({
      error: { code: 'delegation_missing' },
    });
  });

  test('a session that cannot be opened is a result', async () => {
    const client = await connect(at.server.url, at.fetch);
    at.server.refuse('initialize', 500);
    expect(await told(client)).toMatchObject({ code: 'server_unreachable', retryable: true });
  });

  test('an abort of the caller is an abort, whenever it comes', async () => {
    const client = await connect(at.server.url, at.fetch);
    // Bob's session is still to be opened when he leaves, Alice's call is under way.
    for (const [method, who] of [
      ['tools/call', at.alice],
      ['initialize', at.bob],
    ] as const) {
      at.server.answer = (seen) => seen.method === method;
      const controller = new AbortController();
      const count = at.server.of(method).length;
      const asked = failed(runAs(who, () => client.call('whoami', controller.signal)));
      await at.server.arrived(method, count + 1);
      controller.abort(new Error('the user has left'));
      expect(String(await asked)).toContain('the user has left');
    }
  });

  test('a tool’s own failure is the tool’s', async () => {
    const client = await connect(at.server.url, at.fetch);
    at.server.answer = ({ method, id }, response) => {
      if (method !== 'tools/call') return false;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32602, message: 'no such tool' } }));
      return true;
    };
    expect(String(await failed(runAs(at.alice, () => client.call())))).toContain('no such tool');
  });

  test('no result holds the token', async () => {
    const client = await connect(at.server.url, at.fetch);
    for (const status of [400, 401, 403, 500]) {
      at.server.answer = ({ method, token = '' }, response) => {
        if (method !== 'tools/call') return false;
        const challenge = `Bearer error="insufficient_scope", scope="${token}"`;
        response.writeHead(status, { 'www-authenticate': challenge }).end(token);
        return true;
      };
      const error = await told(client);
      expectNoLeak(error, [at.server.of('tools/call').at(-1)?.token ?? 'none']);
    }
  });
});

test('of everything but a tool call a failure is thrown, or the server’s own answer', async () => {
  const client = await connectBare(at.server.url, at.fetch);
  at.server.refuse('resources/read', 403);
  expect(await failure(runAs(at.alice, () => client.send('resources/read')))).toMatchObject({ status: 403 });
  at.server.refuse('tools/list', 500);
  expect((await client.send('tools/list')).status).toBe(500);
  expect((await failure(client.send('prompts/get'))).code).toBe('delegation_missing');
});

test('a session that this fetch does not know is answered 404: the client has to connect anew', async () => {
  const client = await connectBare(at.server.url, at.fetch);
  await client.end();
  at.server.requests.length = 0;
  expect((await runAs(at.alice, () => client.send('tools/call'))).status).toBe(404);
  expect(at.server.requests).toEqual([]);
});

test('without the option a failure is thrown', async () => {
  const fetch = fetchAt({ broker: at.broker, url: at.server.url });
  const client = await connectBare(at.server.url, fetch);
  at.server.refuse('tools/call', 403);
  expect(await failure(runAs(at.alice, () => client.send('tools/call')))).toMatchObject({ status: 403 });
  onCalls((response) => void response.destroy());
  const error = await failure(runAs(at.alice, () => client.send('tools/call')));
  expect(error).toMatchObject({ code: 'server_failed', retryable: false });
});

test.each(['before an answer', 'within an answer', 'within a stream'])(
  'an abort of the request %s is thrown with its reason',
  async (when) => {
    const client = await connectBare(at.server.url, at.fetch);
    const reason = new Error('the user has left');
    const controller = new AbortController();
    at.server.answer = ({ method }, response) => {
      if (method !== 'tools/call') return false;
      const type = when === 'within a stream' ? 'text/event-stream' : 'application/json';
      if (when !== 'before an answer') response.writeHead(200, { 'content-type': type }).write('{');
      return true;
    };
    const asked = runAs(at.alice, () => client.send('tools/call', { init: { signal: controller.signal } }));
    const read = failed(asked.then((response) => response.text()));
    await at.server.arrived('tools/call');
    if (when === 'within a stream') await asked;
    controller.abort(reason);
    expect(await read).toBe(reason);
  },
);

test('the result has the id of its call, whether a number or text', async () => {
  const client = bareClient(at.server.url, at.fetch);
  for (const id of [7, 'seven', 0]) {
    const response = await client.send('tools/call', { id: id as number });
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toMatchObject({ jsonrpc: '2.0', id, result: { isError: true } });
  }
});

test('an answer that streams goes on as it comes, and is cancelled at the server when it is left', async () => {
  const client = await connectBare(at.server.url, at.fetch);
  let write = (_text: string): void => {};
  let closed = (): void => {};
  const cut = new Promise<void>((resolve) => {
    closed = resolve;
  });
  onCalls((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    response.on('close', closed);
    write = (text) => void response.write(text);
  });
  const response = await runAs(at.alice, () => client.send('tools/call'));
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  for (const text of [': one\n\n', 'data: {"jsonrpc":"2.0","method":"x"}\n\n']) {
    write(text);
    expect(new TextDecoder().decode((await reader.read()).value)).toBe(text);
  }
  await reader.cancel();
  await cut;
});

test('a stream that can be resumed breaks off as such: the client asks for the rest by itself', async () => {
  const client = await connectBare(at.server.url, at.fetch);
  onCalls((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('id: 1\ndata: \n\n', () => setImmediate(() => response.destroy()));
  });
  const response = await runAs(at.alice, () => client.send('tools/call'));
  expect(await failed(response.text())).toBeInstanceOf(TypeError);
});

test('what the option "delegation" throws is thrown, not told as a failure of the server', async () => {
  const broken = new Error('the database is down');
  const delegation = (): never => {
    throw broken;
  };
  const fetch = fetchAt({ broker: at.broker, url: at.server.url, delegation });
  expect(await failed(bareClient(at.server.url, fetch).send('tools/call'))).toBe(broken);
});

test('a mistake of the caller is thrown', async () => {
  expect(await failed(at.fetch('no-url', { body: '{"method":"tools/call","id":1}' }))).toBeInstanceOf(
    TypeError,
  );
});

test('whoever wants to know hears of each call that could not be made, also where the model is told', async () => {
  for (const failures of ['tool_result', 'throw'] as const) {
    const heard: string[] = [];
    const onFailure = ({ code }: { code: string }): void => {
      heard.push(code);
      throw new Error('of the listener');
    };
    const scene = await startScene({ fetch: { failures, onFailure } });
    const client = await connectBare(scene.server.url, scene.fetch);
    await scene.fetch(scene.server.url, { method: 'GET' }).catch(() => {});
    await runAs(scene.alice, () => client.send('tools/call'));
    expect(heard).toEqual([]);
    scene.server.refuse('tools/call', 403);
    await runAs(scene.alice, () => client.send('tools/call')).catch(() => {});
    await client.send('tools/call').catch(() => {});
    expect(heard).toEqual(['server_rejected_token', 'delegation_missing']);
  }
});
