import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import { Hono } from 'hono';
import { onTestFinished } from 'vitest';
import type { Broker } from '../../src/broker/types.ts';
import type { Inbound } from '../../src/context/inbound.ts';

/** What a handler answers with: a text, or one after the other. */
export type Answer = string | AsyncIterable<string>;
/** A handler of any host; it is told the path and the method that were asked for, and may fail. */
export type Handle = (path: string, method: string) => Answer | Promise<Answer>;

/** Starts a server that answers by a handler behind an inbound helper, and says its origin. */
export type Host = (inbound: Inbound, handle: Handle) => Promise<string>;

export const HOSTS: Readonly<Record<'express' | 'node:http' | 'Hono' | 'web', Host>> = {
  express(inbound, handle) {
    const app = express();
    app.use(inbound.node);
    app.use(express.json());
    app.use(async (request, response) => write(response, await handle(request.path, request.method)));
    const failed: express.ErrorRequestHandler = (_error, _request, response, _next) => {
      response.status(500).end('failed');
    };
    app.use(failed);
    return listen(createServer(app));
  },
  'node:http': (inbound, handle) =>
    listen(
      createServer((request, response) => {
        inbound.node(request, response, async () => {
          try {
            await write(response, await handle(request.url ?? '', request.method ?? ''));
          } catch {
            if (response.headersSent) response.destroy();
            else response.writeHead(500).end('failed');
          }
        });
      }),
    ),
  Hono(inbound, handle) {
    const app = new Hono();
    app.use(inbound.hono);
    app.all('*', async (context) => {
      context.header('x-host', 'hono');
      return context.body(bodyOf(await handle(context.req.path, context.req.method)));
    });
    app.onError((_error, context) => context.text('failed', 500));
    return listen(createServer(getRequestListener(app.fetch)));
  },
  web(inbound, handle) {
    const fetch = inbound.web(async (request) => {
      const answer = await handle(new URL(request.url).pathname, request.method);
      return new Response(bodyOf(answer), { status: 201, headers: { 'x-host': 'web' } });
    });
    const errorHandler = () => new Response('failed', { status: 500 });
    return listen(createServer(getRequestListener(fetch, { errorHandler })));
  },
};

/** Resolves when this many runs of a broker have ended, of those that share with no other. */
export function runsEnded(broker: Broker, count = 1): Promise<void> {
  let left = count;
  return new Promise((resolve) => {
    broker.onGroupEnd(() => {
      left -= 1;
      if (left === 0) queueMicrotask(resolve);
    });
  });
}

export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await stopped;
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function write(response: ServerResponse, answer: Answer): Promise<void> {
  if (typeof answer === 'string') return void response.end(answer);
  response.flushHeaders();
  for await (const text of answer) {
    if (response.destroyed) return;
    response.write(text);
  }
  response.end();
}

function bodyOf(answer: Answer): string | ReadableStream<Uint8Array> {
  if (typeof answer === 'string') return answer;
  const iterator = answer[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(Buffer.from(value));
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}
