// Stands in front of a real STS: passes requests on, and refuses the exchanges that it is told to.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { decodeJwt, type JWTPayload } from 'jose';
import { onTestFinished } from 'vitest';
import type { DevelopmentSts } from '../../src/sts/index.ts';

/** An OAuth error response (RFC 6749 section 5.2), with what some STSs add. */
export type Refusal = Readonly<Record<string, unknown>>;

/**
 * @param refuse - what an exchange of a subject token with these claims, for this audience, is answered; nothing: it is passed on
 * @returns the token endpoint
 */
export async function startRefusingSts(
  { tokenEndpoint }: DevelopmentSts,
  refuse: (subject: JWTPayload, audience: string | null) => Refusal | undefined,
): Promise<string> {
  const http = createServer(async (request, response) => {
    const body = await text(request);
    const form = new URLSearchParams(body);
    const subject = form.get('subject_token');
    const refusal = subject === null ? undefined : refuse(decodeJwt(subject), form.get('audience'));
    if (refusal) {
      response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify(refusal));
      return;
    }
    const { authorization = '', 'content-type': type = '' } = request.headers;
    const headers = { authorization, 'content-type': type };
    const answer = await fetch(tokenEndpoint, { method: 'POST', headers, body });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}/token`;
}
