import { createServer as createTlsServer } from 'node:https';
import { gzipSync } from 'node:zlib';
import { selfSigned } from '../../support/certificates.ts';
import { type Handler, never } from '../../support/loopback.ts';
import { granting } from '../../support/sts.ts';
import type { Places } from '../places.ts';
import type { FaultRow, Given } from '../row.ts';
import { dribble, rawSts } from './raw-sts.ts';

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
const MIB = 2 ** 20;
/** Two tries of so long: enough for a request to arrive on a busy machine. */
const IMPATIENT = { timeoutMs: 250, retry: { attempts: 2, backoffMs: 0 } } as const;

const unreachable = { outcome: 'sts_unreachable unavailable', mcp: 0 } as const;
const timeout = { outcome: 'sts_timeout unavailable', sts: 2, mcp: 0 } as const;
const tooLarge = { outcome: 'sts_invalid_response misconfigured', sts: 1, mcp: 0 } as const;

/** What can happen to a connection to the STS. */
export const transportRows: readonly FaultRow[] = [
  {
    fault: 'STS: its name cannot be resolved',
    ...{ ...unreachable, sts: 0 },
    // A label must not be empty, so no resolver is asked.
    given: () => ({ service: { tokenEndpoint: 'https://sts..invalid/token' } }),
  },
  {
    fault: 'STS: down, connection refused',
    ...{ ...unreachable, sts: 0 },
    given: async ({ sts }) => {
      await sts.close();
      return {};
    },
  },
  {
    fault: 'STS: certificate signed by itself',
    ...{ ...unreachable, sts: 0 },
    given: withUntrustedCertificate,
  },
  {
    fault: 'STS: https to a port that speaks http',
    ...{ ...unreachable, sts: 0 },
    given: ({ sts }) => ({ service: { tokenEndpoint: `https://${sts.host}/token` } }),
  },
  {
    fault: 'STS: reset before the answer',
    ...{ ...unreachable, sts: 3 },
    given: (places) => rawSts(places, (socket) => socket.resetAndDestroy()),
  },
  {
    fault: 'STS: reset in the middle of the body',
    ...{ ...unreachable, sts: 3 },
    given: (places) =>
      rawSts(places, (socket) => {
        socket.write(`${HEAD}content-length: 500\r\n\r\n{"access_token":"`, () => socket.resetAndDestroy());
      }),
  },
  {
    fault: 'STS: the body ends before its length',
    ...{ ...unreachable, sts: 3 },
    given: (places) => rawSts(places, (socket) => socket.end(`${HEAD}content-length: 500\r\n\r\n{}`)),
  },
  {
    fault: 'STS: reset once, then answers',
    ...{ outcome: 'ok', sts: 2, mcp: 1 },
    answers: () => resetOnce(),
  },
  {
    fault: 'STS: does not speak HTTP',
    ...{ ...unreachable, sts: 3 },
    given: (places) => rawSts(places, (socket) => socket.write('SSH-2.0-OpenSSH_9.6\r\n')),
  },
  {
    fault: 'STS: 100 kB of header fields',
    ...{ ...unreachable, sts: 3 },
    given: (places) => rawSts(places, (socket) => socket.write(`${HEAD}x: ${'y'.repeat(100_000)}\r\n\r\n`)),
  },
  { fault: 'STS: never answers', ...timeout, answers: () => never, given: () => ({ service: IMPATIENT }) },
  {
    fault: 'STS: slow header fields, one now and then',
    ...timeout,
    given: (places) =>
      rawSts(
        places,
        (socket) => {
          socket.write(HEAD);
          dribble(socket, 'x-more: y\r\n');
        },
        IMPATIENT,
      ),
  },
  {
    fault: 'STS: slow loris, a byte of body now and then',
    ...timeout,
    given: (places) =>
      rawSts(
        places,
        (socket) => {
          socket.write(`${HEAD}content-length: 500\r\n\r\n`);
          dribble(socket, ' ');
        },
        IMPATIENT,
      ),
  },
  { fault: 'STS: a body of 10 MB', ...tooLarge, answers: () => large(Buffer.alloc(10 * MIB, ' ')) },
  { fault: 'STS: a body without end', ...tooLarge, answers: () => endless },
  {
    fault: 'STS: a body of 10 kB that unzips to 10 MB',
    ...tooLarge,
    answers: () => large(gzipSync(Buffer.alloc(10 * MIB, ' ')), { 'content-encoding': 'gzip' }),
  },
];

async function withUntrustedCertificate(places: Places): Promise<Given> {
  let requests = 0;
  const server = createTlsServer(await selfSigned('127.0.0.1'), (_request, response) => {
    requests += 1;
    response.end();
  });
  const port = await places.listen(server);
  return {
    service: { tokenEndpoint: `https://127.0.0.1:${port}/token` },
    exchanges: () => requests,
  };
}

function resetOnce(): Handler {
  const grant = granting();
  let requests = 0;
  return (request, response) => {
    requests += 1;
    if (requests > 1) return grant(request, response);
    response.socket?.resetAndDestroy();
  };
}

function large(body: Buffer, headers: Readonly<Record<string, string>> = {}): Handler {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(body);
  };
}

function endless(...[, response]: Parameters<Handler>): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const chunk = ' '.repeat(65_536);
  const write = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', write);
  write();
}
