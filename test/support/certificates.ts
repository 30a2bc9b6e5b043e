import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, request, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';
import { onTestFinished } from 'vitest';
import type { Handler, Received } from './loopback.ts';

/** A certificate and its private key, as PEM. */
export interface Certified {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority. */
export interface Authority extends Certified {
  /** Makes a certificate for a client. */
  client(commonName: string): Promise<Certified>;
  /** Makes a certificate for a server on 127.0.0.1. */
  server(): Promise<Certified>;
}

const EC = { keyType: 'ec', algorithm: 'sha256' } as const;
const named = (value: string) => [{ name: 'commonName', value }];

/** Makes a certificate that is signed with its own key. */
export async function selfSigned(commonName: string): Promise<Certified> {
  const { cert, private: key } = await generate(named(commonName), EC);
  return { cert, key };
}

export async function createAuthority(commonName = 'Test CA'): Promise<Authority> {
  const root = await generate(named(commonName), {
    ...EC,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const ca = { key: root.private, cert: root.cert };
  const issue = async (name: string, server: boolean): Promise<Certified> => {
    const { cert, private: key } = await generate(named(name), {
      ...EC,
      ca,
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', serverAuth: server, clientAuth: !server },
        ...(server
          ? [{ name: 'subjectAltName' as const, altNames: [{ type: 7 as const, ip: '127.0.0.1' }] }]
          : []),
      ],
    });
    return { cert, key };
  };
  return { ...ca, client: (name) => issue(name, false), server: () => issue('server', true) };
}

/** A `fetch` that trusts the authority's servers, and shows no certificate of its own. */
export const trusting =
  ({ cert: ca }: Certified) =>
  async (url: string, { method = 'GET', headers, body, signal }: RequestInit): Promise<Response> => {
    const outgoing = request(url, {
      ca,
      method,
      headers: Object.fromEntries(new Headers(headers)),
      signal: signal ?? undefined,
    });
    outgoing.end(body?.toString());
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    const { statusCode: status = 500, headers: answered } = incoming;
    return new Response(await text(incoming), {
      status,
      headers: { 'content-type': answered['content-type'] ?? '' },
    });
  };

/** A request over TLS as it arrived. */
export interface ReceivedOverTls extends Received {
  /** Common name of the certificate that the client showed; `undefined` without one. */
  readonly client: string | undefined;
  /** Number of the connection it came over, from 1. */
  readonly connection: number;
}

export interface TlsLoopback {
  readonly origin: string;
  readonly received: readonly ReceivedOverTls[];
  /** Resolves when the next connection has been closed. */
  closed(): Promise<void>;
  /** Resolves when the next request has arrived. */
  arrived(): Promise<void>;
}

/** Starts an https server on loopback that asks for a client certificate, and is closed at the end of the test. */
export async function startTlsLoopback(options: ServerOptions, handler: Handler): Promise<TlsLoopback> {
  const received: ReceivedOverTls[] = [];
  const connections = new Map<unknown, number>();
  const onClose = new Set<() => void>();
  const onArrival = new Set<() => void>();
  const server = createServer({ requestCert: true, ...options }, async (request, response) => {
    const socket = request.socket as TLSSocket;
    const peer = socket.getPeerCertificate();
    const { method = '', url: path = '', headers } = request;
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const one: ReceivedOverTls = {
      ...{ method, path, headers, body, form: new URLSearchParams(body) },
      client: peer?.subject?.CN?.toString(),
      connection: connections.get(socket) as number,
    };
    received.push(one);
    for (const resolve of onArrival) resolve();
    handler(one, response);
  });
  server.on('secureConnection', (socket) => {
    connections.set(socket, connections.size + 1);
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const resolve of onClose) resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await stopped;
  });
  return {
    origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    closed: () => new Promise((resolve) => onClose.add(resolve)),
    arrived: () => new Promise((resolve) => onArrival.add(resolve)),
  };
}
