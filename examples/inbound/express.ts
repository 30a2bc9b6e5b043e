// The Express example of docs/inbound.md, as code that is compiled and run by a test.

// #region docs
import express from 'express';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { createInbound } from 'onbehalf';
// #endregion
import type { Settings } from './settings.ts';

export function createExpressApp({ broker, issuer, jwksUri, ask }: Settings): express.Express {
  // #region docs
  const keys = createRemoteJWKSet(new URL(jwksUri));
  const inbound = createInbound({
    broker,
    verify: (token) => jwtVerify(token, keys, { issuer, audience: 'assistant' }),
    onError: (error) => console.error(error), // why nobody could be let in (503): no keys, say
    resourceMetadata: 'https://assistant.example.com/.well-known/oauth-protected-resource',
  });

  const app = express();
  app.use(inbound.node);
  app.post('/ask', express.json(), async (request, response) => {
    response.type('text/event-stream');
    // The agent's tools act as the user who asked: `currentDelegation()` is theirs, until the answer is complete.
    for await (const text of ask(request.body.question)) {
      if (response.destroyed) break;
      response.write(`data: ${text}\n\n`);
    }
    response.end();
  });
  // #endregion
  return app;
}
