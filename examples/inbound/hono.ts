// The Hono example of docs/inbound.md, as code that is compiled and run by a test.

// #region docs
import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { createInbound } from 'onbehalf';
// #endregion
import type { Settings } from './settings.ts';

export function createHonoApp({ broker, issuer, jwksUri, ask }: Settings): Hono {
  // #region docs
  const keys = createRemoteJWKSet(new URL(jwksUri));
  const inbound = createInbound({
    broker,
    verify: (token) => jwtVerify(token, keys, { issuer, audience: 'assistant' }),
    onError: (error) => console.error(error), // why nobody could be let in (503): no keys, say
  });

  const app = new Hono();
  app.use(inbound.hono);
  app.post('/ask', async (context) => {
    const { question } = await context.req.json();
    return streamSSE(context, async (stream) => {
      for await (const text of ask(question)) await stream.writeSSE({ data: text });
    });
  });
  // #endregion
  return app;
}
