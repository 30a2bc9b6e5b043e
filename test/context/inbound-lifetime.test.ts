import { EventEmitter } from 'node:events';
import { request as httpRequest } from 'node:http';
import { Hono } from 'hono';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Delegation } from '../../src/broker/delegation.ts';
import { currentDelegation } from '../../src/context/carrier.ts';
import { createInbound } from '../../src/context/inbound.ts';
import { startPlainBroker } from '../support/broker.ts';
import { collectUntil } from '../support/collected.ts';
import { thrownBy } from '../support/failure.ts';
import { type Handle, HOSTS, runsEnded } from '../support/inbound.ts';
import { subjectJwt } from '../support/sts.ts';

const hosts = Object.entries(HOSTS);
const authorization = (sub = 'alice') => ({ authorization: `Bearer ${subjectJwt(sub)}` });
const current = (): string | undefined => currentDelegation()?.subject.sub;

function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

async function start(host: (typeof HOSTS)[keyof typeof HOSTS], handle: Handle) {
  const { broker } = await startPlainBroker();
  const inbound = createInbound({ broker, verify: 'elsewhere' });
  const ended = runsEnded(broker);
  return { broker, ended, origin: await host(inbound, handle) };
}

const text = (response: Response): Promise<string> => response.text();

test.each(hosts)(
  '%s: the handler runs as the subject, and the run ends with the response',
  async (_, host) => {
    let seen: Delegation | undefined;
    const { broker, ended, origin } = await start(host, (path, method) => {
      seen = currentDelegation();
      return `${method} ${path} as ${current()}`;
    });
    const response = await fetch(`${origin}/a`, { method: 'POST', body: '{}', headers: authorization() });
    expect(await text(response)).toBe('POST /a as alice');
    await ended;
    expect(broker.stats().delegations).toBe(0);
    expect(broker.status(seen as Delegation)).toBe('ended');
  },
);

test.each(hosts)('%s: a streamed answer keeps its run until its last chunk', async (_, host) => {
  const [first, second] = [gate(), gate()];
  const seen: (string | undefined)[] = [];
  const { broker, ended, origin } = await start(host, async function* () {
    for (const [index, { opened }] of [first, second].entries()) {
      await opened;
      seen.push(current(), broker.status(currentDelegation() as Delegation));
      yield `chunk ${index};`;
    }
    seen.push(current());
  } as unknown as Handle);
  first.open();
  const response = await fetch(origin, { headers: authorization() });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const read = async () => Buffer.from((await reader.read()).value ?? []).toString();
  expect(await read()).toBe('chunk 0;');
  expect(broker.stats().delegations).toBe(1);
  second.open();
  expect(await read()).toBe('chunk 1;');
  expect((await reader.read()).done).toBe(true);
  await ended;
  expect(seen).toEqual(['alice', 'active', 'alice', 'active', 'alice']);
  expect(broker.stats().delegations).toBe(0);
});

test.each(hosts)('%s: the run ends when the client leaves in the middle of a stream', async (_, host) => {
  const never = gate();
  const { broker, ended, origin } = await start(host, async function* () {
    yield 'first;';
    await never.opened;
  } as unknown as Handle);
  const leaving = new AbortController();
  const response = await fetch(origin, { headers: authorization(), signal: leaving.signal });
  await (response.body as ReadableStream<Uint8Array>).getReader().read();
  expect(broker.stats().delegations).toBe(1);
  leaving.abort();
  await ended;
  expect(broker.stats().delegations).toBe(0);
  never.open();
});

test.each(hosts)('%s: the run ends when the client leaves before there is an answer', async (_, host) => {
  const [begun, never] = [gate(), gate()];
  const { broker, ended, origin } = await start(host, async () => {
    begun.open();
    await never.opened;
    return 'too late';
  });
  const leaving = new AbortController();
  const asked = fetch(origin, { headers: authorization(), signal: leaving.signal });
  await begun.opened;
  leaving.abort();
  await thrownBy(asked);
  await ended;
  expect(broker.stats().delegations).toBe(0);
  never.open();
});

test.each(hosts)('%s: the run ends when the handler fails, as the host answers that', async (_, host) => {
  const { broker, ended, origin } = await start(host, () => {
    throw new Error('the handler failed');
  });
  const response = await fetch(origin, { headers: authorization() });
  expect([response.status, await text(response)]).toEqual([500, 'failed']);
  await ended;
  expect(broker.stats().delegations).toBe(0);
});

test.each(hosts)('%s: the run ends when a stream fails after it began', async (_, host) => {
  // The host's server of Hono says so.
  const said = vi.spyOn(console, 'error').mockImplementation(() => {});
  onTestFinished(() => said.mockRestore());
  const { broker, ended, origin } = await start(host, async function* () {
    yield 'first;';
    throw new Error('the stream failed');
  } as unknown as Handle);
  const failed = fetch(origin, { headers: authorization() }).then(text);
  await Promise.allSettled([failed, ended]);
  expect(broker.stats().delegations).toBe(0);
});

test.each(hosts)('%s: a request for the head alone ends its run', async (_, host) => {
  const { broker, ended, origin } = await start(host, () => 'a body that nobody reads');
  const response = await fetch(origin, { method: 'HEAD', headers: authorization() });
  expect([response.ok, await text(response)]).toEqual([true, '']);
  await ended;
  expect(broker.stats().delegations).toBe(0);
});

test.each(hosts)(
  '%s: a client that left while its token was verified leaves no run behind',
  async (_, host) => {
    const { broker } = await startPlainBroker();
    const [begun, verified] = [gate(), gate()];
    const verify = async () => {
      begun.open();
      await verified.opened;
      return true;
    };
    const ended = runsEnded(broker);
    const handle = vi.fn(() => 'nobody reads this');
    const origin = await host(createInbound({ broker, verify }), handle);
    const closed = gate();
    const asked = httpRequest(origin, { headers: authorization() }).on('error', () => {});
    asked.once('close', closed.open).end();
    await begun.opened;
    asked.destroy();
    await closed.opened;
    // The server hears of it after the client; a request that comes later is behind that.
    await fetch(origin);
    verified.open();
    await ended;
    expect(broker.stats().delegations).toBe(0);
  },
);

test('node: a response that was destroyed before leaves no run behind, and nothing is called', async () => {
  const { broker } = await startPlainBroker();
  const response = Object.assign(new EventEmitter(), {
    ...{ destroyed: true, headersSent: false, writeHead: vi.fn(), end: vi.fn() },
  });
  const { authorization: value } = authorization();
  const next = vi.fn();
  const ended = runsEnded(broker);
  const request = { headers: { authorization: value }, rawHeaders: ['authorization', value] };
  createInbound({ broker, verify: 'elsewhere' }).node(request, response, next);
  await ended;
  expect(next).not.toHaveBeenCalled();
  expect(broker.stats().delegations).toBe(0);
});

test('Hono: status, fields and cookies of middlewares on both sides are kept', async () => {
  const { broker } = await startPlainBroker();
  const app = new Hono()
    .use(async (context, next) => {
      context.header('x-outer', 'before');
      context.header('set-cookie', 'outer=1', { append: true });
      await next();
      context.header('x-after', 'after');
    })
    .use(createInbound({ broker, verify: 'elsewhere' }).hono)
    .get('/', (context) => {
      context.header('set-cookie', 'inner=1', { append: true });
      return context.json({ sub: current() }, 202);
    });
  const response = await app.request('/', { headers: authorization('bob') });
  const { status, headers } = response;
  expect([status, headers.get('x-outer'), headers.get('x-after')]).toEqual([202, 'before', 'after']);
  expect(headers.getSetCookie()).toEqual(['outer=1', 'inner=1']);
  expect(broker.stats().delegations).toBe(1);
  expect(await response.json()).toEqual({ sub: 'bob' });
  expect(broker.stats().delegations).toBe(0);
  expect((await app.request('/', { headers: { authorization: 'Bearer bad' } })).headers.get('x-after')).toBe(
    'after',
  );
});

test.each(['/', '/fails'])(
  'Hono: an answer to %s that is put aside for another one holds no run',
  async (path) => {
    const { broker } = await startPlainBroker();
    const app = new Hono()
      .use(async (context, next) => {
        await next();
        context.res = new Response('sorry', { status: 503 });
      })
      .use(createInbound({ broker, verify: 'elsewhere' }).hono)
      .get('/', (context) => context.text(`hello ${current()}`))
      .get('/fails', () => {
        throw new Error('failed');
      })
      .onError((_error, context) => context.text('failed', 500));
    for (let index = 0; index < 20; index++) {
      expect(await text(await app.request(path, { headers: authorization() }))).toBe('sorry');
    }
    await collectUntil(() => broker.stats().delegations === 0);
    // The last one may be in a register still.
    expect(broker.stats().delegations).toBeLessThan(5);
  },
);

test('web: an answer that is being read keeps its run, whatever is collected', async () => {
  const { broker } = await startPlainBroker();
  const inbound = createInbound({ broker, verify: 'elsewhere' });
  const web = inbound.web(() => new Response(new Blob(['hello']).stream()));
  const response = await web(new Request('https://agent.example.com/', { headers: authorization() }));
  await collectUntil(() => broker.stats().delegations === 0);
  expect(broker.stats().delegations).toBe(1);
  expect(await response.text()).toBe('hello');
  expect(broker.stats().delegations).toBe(0);
});

test('Hono: a response without a body is left as it is: it may be one that cannot be made anew', async () => {
  const { broker } = await startPlainBroker();
  const set = vi.fn();
  const res = new Response(null, { status: 204 });
  const raw = new Request('https://agent.example.com/', { headers: authorization() });
  const context = Object.defineProperty({ req: { raw }, res }, 'res', { get: () => res, set });
  await createInbound({ broker, verify: 'elsewhere' }).hono(context, async () => {});
  expect(set).not.toHaveBeenCalled();
  expect(broker.stats().delegations).toBe(0);
});

async function admittedWeb(
  respond: (request: Request) => Response | Promise<Response>,
  init: RequestInit = {},
) {
  const { broker } = await startPlainBroker();
  const handler = createInbound({ broker, verify: 'elsewhere' }).web(respond);
  const request = new Request('https://agent.example.com/', { headers: authorization(), ...init });
  return { broker, answered: handler(request) };
}

test('web: status and fields are passed on, and the handler is given the delegation', async () => {
  const { broker } = await startPlainBroker();
  const handler = createInbound({ broker, verify: 'elsewhere' }).web((_request, delegation) => {
    expect(currentDelegation()).toBe(delegation);
    return Response.json({ sub: delegation.subject.sub }, { status: 202, headers: { 'x-own': 'yes' } });
  });
  const response = await handler(
    new Request('https://agent.example.com/', { headers: authorization('bob') }),
  );
  expect([response.status, response.headers.get('x-own')]).toEqual([202, 'yes']);
  expect(broker.stats().delegations).toBe(1);
  expect(await response.json()).toEqual({ sub: 'bob' });
  expect(broker.stats().delegations).toBe(0);
});

test('web: an answer without a body ends the run at once', async () => {
  const { broker, answered } = await admittedWeb(() => new Response(null, { status: 204 }));
  expect((await answered).status).toBe(204);
  expect(broker.stats().delegations).toBe(0);
});

test('web: nothing of the body is made before it is read, and then as the subject, also when it is cancelled', async () => {
  const seen: (string | undefined)[] = [];
  const { broker, answered } = await admittedWeb(() => {
    const source = {
      pull(controller: ReadableStreamDefaultController<Uint8Array>) {
        seen.push(current());
        controller.enqueue(Buffer.from('more'));
      },
      cancel() {
        seen.push(`cancelled as ${current()}, ${broker.status(currentDelegation() as Delegation)}`);
      },
    };
    return new Response(new ReadableStream(source, { highWaterMark: 0 }));
  });
  const reader = ((await answered).body as ReadableStream<Uint8Array>).getReader();
  expect(seen).toEqual([]);
  await reader.read();
  expect(current()).toBeUndefined();
  await reader.cancel();
  expect(seen).toEqual(['alice', 'cancelled as alice, active']);
  expect(broker.stats().delegations).toBe(0);
});

test('web: a body that cannot be cancelled in time does not hold up the end', async () => {
  const { broker, answered } = await admittedWeb(
    () => new Response(new ReadableStream({ cancel: () => new Promise(() => {}) })),
  );
  void (await answered).body?.cancel();
  expect(broker.stats().delegations).toBe(0);
});

test('web: the run ends when the request is aborted, and the answer of a handler that goes on is harmless', async () => {
  const leaving = new AbortController();
  const [begun, finish] = [gate(), gate()];
  const { broker, answered } = await admittedWeb(
    async () => {
      begun.open();
      await finish.opened;
      return new Response('nobody reads this');
    },
    { signal: leaving.signal },
  );
  await begun.opened;
  leaving.abort();
  expect(broker.stats().delegations).toBe(0);
  finish.open();
  expect((await answered).status).toBe(200);
});

test('web: a request that was aborted before has an ended run', async () => {
  let seen: Delegation | undefined;
  const respond = () => {
    seen = currentDelegation();
    return new Response('nobody reads this');
  };
  const { broker, answered } = await admittedWeb(respond, { signal: AbortSignal.abort() });
  expect(broker.stats().delegations).toBe(0);
  await answered;
  expect(broker.status(seen as Delegation)).toBe('ended');
});

test('web: what is no response ends the run and fails', async () => {
  const { broker, answered } = await admittedWeb(() => undefined as unknown as Response);
  expect(await thrownBy(answered)).toBeInstanceOf(TypeError);
  expect(broker.stats().delegations).toBe(0);
});

test('web: a response whose body was used up ends the run and fails', async () => {
  const { broker, answered } = await admittedWeb(async () => {
    const used = new Response('read already');
    used.body?.getReader();
    return used;
  });
  expect(await thrownBy(answered)).toBeInstanceOf(TypeError);
  expect(broker.stats().delegations).toBe(0);
});
