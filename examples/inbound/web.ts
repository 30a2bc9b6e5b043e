// The example of docs/inbound.md for a web-standard handler, as code that is compiled and run by a test.

// #region docs
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { createInbound } from 'onbehalf';
// #endregion
import type { Settings } from './settings.ts';

export function createWebHandler({ broker, issuer, jwksUri, ask }: Settings) {
  // #region docs
  const keys = createRemoteJWKSet(new URL(jwksUri));
  const inbound = createInbound({
    broker,
    verify: (token) => jwtVerify(token, keys, { issuer, audience: 'assistant' }),
    onError: (error) => console.error(error), // why nobody could be let in (503): no keys, say
  });

  const POST = inbound.web(async (request, delegation) => {
    const { question } = (await request.json()) as { question: string };
    let answer = `for ${delegation.subject.sub}:`;
    for await (const text of ask(question)) answer += ` ${text}`;
    return new Response(answer);
  });
  // #endregion
  return POST;
}
