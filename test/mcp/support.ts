// What the tests of src/mcp and src/adk stand on: a real STS, a broker for it, and ways to wait without sleeping.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import {
  type Broker,
  type BrokerOptions,
  clientCredentialsActor,
  createBroker,
  createTokenService,
  type Delegation,
  type FetchLike,
  isOnbehalfError,
  type OnbehalfError,
  type TokenServiceOptions,
} from '../../src/index.ts';
import {
  createDevelopmentSts,
  type DevelopmentSts,
  type DevelopmentStsOptions,
} from '../../src/sts/index.ts';

/** Client id of the agent at the STS, and so the `sub` of `act` in what it issues. */
export const AGENT = 'agent';
const SECRET = 'a-secret-for-tests-only';
const USERS = ['alice', 'bob', ...Array.from({ length: 16 }, (_, index) => `user${index}`)];

/** An STS that lets the agent have `calendar`, `mail` and `files`, and nothing else; closed after the test. */
export async function startSts(options: Partial<DevelopmentStsOptions> = {}): Promise<DevelopmentSts> {
  const sts = await createDevelopmentSts({
    clients: [
      {
        clientId: AGENT,
        authentication: 'client_secret_basic',
        clientSecret: SECRET,
        audiences: ['calendar', 'mail', 'files', 'files-eu'],
        scopes: ['read'],
      },
    ],
    users: USERS.map((sub) => ({ sub })),
    ...options,
  });
  onTestFinished(() => sts.close());
  return sts;
}

/** A broker whose actor is the agent itself; closed after the test. */
export function brokerFor(
  sts: DevelopmentSts,
  options: Partial<BrokerOptions> = {},
  service: Partial<TokenServiceOptions> = {},
): Broker {
  const tokenService = createTokenService({
    issuer: sts.issuer,
    clientId: AGENT,
    clientAuth: { method: 'client_secret_basic', clientSecret: SECRET },
    // What a failure leads to is to be seen here, not how often it is tried.
    retry: { attempts: 1 },
    ...service,
  });
  const broker = createBroker({ tokenService, actor: clientCredentialsActor(tokenService), ...options });
  onTestFinished(() => broker.close());
  return broker;
}

export const subjectToken = (sts: DevelopmentSts, sub: string, expiresIn = 300): Promise<string> =>
  sts.mintSubjectToken({ sub, audience: AGENT, expiresIn });

/** Begins a run for a user. */
export async function begin(
  parts: { sts: DevelopmentSts; broker: Broker },
  sub: string,
  session?: string,
): Promise<Delegation> {
  return parts.broker.begin({ subjectToken: await subjectToken(parts.sts, sub), session });
}

/** What the STS answered to exchanges, as `sub audience outcome`, sorted. */
export function exchanged(sts: DevelopmentSts): string[] {
  return sts.exchanges
    .map(({ sub, audience, outcome }) => `${sub} ${audience.join('+')} ${outcome}`)
    .toSorted();
}

/** The coded error that a promise or function must fail with. */
export async function failure(work: Promise<unknown> | (() => unknown)): Promise<OnbehalfError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (isOnbehalfError(error)) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** What a promise fails with, whatever it is. */
export async function failed(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

/** A closed door: whoever comes waits until it is opened, and `reached` tells when the n-th has come. */
export interface Gate {
  wait(): Promise<void>;
  /** Resolves when so many have come. */
  reached(count: number): Promise<void>;
  open(): void;
}

export function createGate(): Gate {
  let come = 0;
  let watchers: { count: number; resolve: () => void }[] = [];
  let open = (): void => {};
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    wait() {
      come += 1;
      for (const watcher of watchers) if (come >= watcher.count) watcher.resolve();
      watchers = watchers.filter(({ count }) => count > come);
      return promise;
    },
    reached(count) {
      if (come >= count) return Promise.resolve();
      return new Promise((resolve) => {
        watchers.push({ count, resolve });
      });
    },
    open: () => open(),
  };
}

/** A `fetch` for the STS that holds token exchanges at a gate, until they are aborted. */
export function heldExchanges(gate: Gate): FetchLike {
  return async (url, init) => {
    if (String(init.body).includes('token-exchange')) {
      const { signal } = init;
      const aborted = new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
      await Promise.race([gate.wait(), aborted]);
    }
    return fetch(url, init);
  };
}

/** One HTTP request as a {@link Recorder} got it. */
export interface Recorded {
  method: string;
  /** Path and query. */
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A plain HTTP server that writes down all it gets, and answers by a function. */
export interface Recorder {
  origin: string;
  requests: Recorded[];
}

export type Answer = (
  seen: Recorded,
  response: ServerResponse,
  request: IncomingMessage,
) => void | Promise<void>;

/** Starts a recorder on a free loopback port; closed after the test. */
export async function startRecorder(
  answer: Answer = (_seen, response) => void response.end('ok'),
): Promise<Recorder> {
  const requests: Recorded[] = [];
  const http = createServer(async (request, response) => {
    const { method = '', url: path = '', headers } = request;
    const seen = { method, path, headers, body: await text(request) };
    requests.push(seen);
    await answer(seen, response, request);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  return { origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, requests };
}

/** The claims of the bearer token that a request carried; `undefined` without one. */
export function claimsOf({ headers }: Recorded): Record<string, unknown> | undefined {
  const payload = headers.authorization?.match(/^Bearer [^.]+\.([^.]+)\./)?.[1];
  return payload === undefined ? undefined : JSON.parse(Buffer.from(payload, 'base64url').toString());
}

/** The same broker, and how many listen to the ends of its run groups. */
export function countListeners(broker: Broker): { readonly broker: Broker; readonly listening: number } {
  let listening = 0;
  const counting: Broker = {
    ...broker,
    onGroupEnd(listener) {
      const stop = broker.onGroupEnd(listener);
      listening += 1;
      return () => {
        listening -= 1;
        stop();
      };
    },
  };
  return {
    broker: counting,
    get listening() {
      return listening;
    },
  };
}
