// A token endpoint that grants every exchange at once: what it costs is not what is measured.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const segment = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
// As long as an ECDSA P-256 signature; nobody verifies it here.
const SIGNATURE = 'not-a-signature-'.repeat(6).slice(0, 86);

/** A JWT that nobody signed. */
function jwt(claims: Readonly<Record<string, unknown>>): string {
  return `${segment({ alg: 'ES256', typ: 'at+jwt', kid: 'bench' })}.${segment(claims)}.${SIGNATURE}`;
}

const now = (): number => Math.floor(Date.now() / 1000);

export function subjectToken(sub: string): string {
  return jwt({ iss: 'https://idp.example.com', sub, aud: 'bench-agent', exp: now() + 3600, jti: sub });
}

let issued = 0;

/** The answer to a token exchange. */
function grant(form: URLSearchParams, expiresIn: number): string {
  const [, payload = ''] = (form.get('subject_token') ?? '').split('.');
  const { sub } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { sub: string };
  issued += 1;
  const claims = {
    iss: 'https://sts.example.com',
    sub,
    aud: form.getAll('audience'),
    iat: now(),
    jti: String(issued),
  };
  return JSON.stringify({
    access_token: jwt({ ...claims, exp: now() + expiresIn + 1 }),
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: expiresIn,
  });
}

export interface TokenEndpoint {
  readonly url: string;
  /** Requests so far. */
  readonly requests: number;
  close(): Promise<void>;
}

/** @param latencyMs - how long each answer takes */
export async function startTokenEndpoint(
  options: { latencyMs?: number; expiresIn?: number } = {},
): Promise<TokenEndpoint> {
  const { latencyMs = 0, expiresIn = 300 } = options;
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = grant(new URLSearchParams(Buffer.concat(chunks).toString()), expiresIn);
      const answer = (): void => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(body);
      };
      if (latencyMs === 0) answer();
      else setTimeout(answer, latencyMs);
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    get requests() {
      return requests;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The same without a network: for as many exchanges as fill a cache. */
export async function grantInProcess(_url: string, init: RequestInit): Promise<Response> {
  const body = grant(new URLSearchParams(String(init.body)), 3600);
  return new Response(body, { headers: { 'content-type': 'application/json' } });
}
