// A fetch that several users share, at a broker whose STS grants everything, and what speaks through it: the two SDKs'
// clients, and messages that are written by hand.
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { onTestFinished } from 'vitest';
import { type Broker, type BrokerOptions, type Delegation, runAs } from '../../src/index.ts';
import {
  createDelegatedFetch,
  type DelegatedFetch,
  type DelegatedFetchOptions,
} from '../../src/mcp/delegated-fetch.ts';
import { startPlainBroker } from '../support/broker.ts';
import { type PlainSts, subjectJwt } from '../support/sts.ts';
import { type StrictOptions, type StrictServer, startStrictServer } from './strict-server.ts';

type FetchOptions = Partial<DelegatedFetchOptions>;

export interface Scene {
  readonly sts: PlainSts;
  readonly broker: Broker;
  readonly server: StrictServer;
  readonly fetch: DelegatedFetch;
  readonly alice: Delegation;
  readonly bob: Delegation;
  begin(sub: string, session?: string): Delegation;
}

/** A broker, a server, one fetch for it, and runs of Alice and Bob. */
export async function startScene(
  options: {
    server?: StrictOptions;
    fetch?: FetchOptions;
    broker?: Omit<Partial<BrokerOptions>, 'tokenService'>;
  } = {},
): Promise<Scene> {
  const { sts, broker } = await startPlainBroker(options.broker);
  const server = await startStrictServer(options.server);
  const fetch = fetchAt({ broker, url: server.url, ...options.fetch });
  const begin = (sub: string, session?: string): Delegation =>
    broker.begin({ subjectToken: subjectJwt(sub), session });
  return { sts, broker, server, fetch, begin, alice: begin('alice'), bob: begin('bob') };
}

/** A delegated fetch, closed after the test. */
export function fetchAt(
  options: FetchOptions & Pick<DelegatedFetchOptions, 'broker' | 'url'>,
): DelegatedFetch {
  const fetch = createDelegatedFetch({ target: 'calendar', ...options });
  onTestFinished(() => fetch.close());
  return fetch;
}

/** What both SDKs' clients can do, as text. */
export interface AnyClient {
  /** Text of the result, or `error: ` and it. */
  call(name?: string, signal?: AbortSignal): Promise<string>;
  list(): Promise<string[]>;
  /** Ends the client's session, as far as it knows. */
  end(): Promise<void>;
}

type Connect = (url: string, fetch: DelegatedFetch) => Promise<AnyClient>;

const INFO = { name: 'test', version: '1' };

type Result = { isError?: boolean; content: [{ text: string }] };
const textOf = (given: object): string => {
  const { isError, content } = given as Result;
  return `${isError === true ? 'error: ' : ''}${content[0].text}`;
};

const v2: Connect = async (url, fetch) => {
  const client = new ClientV2(INFO);
  const transport = new TransportV2(new URL(url), { fetch });
  await client.connect(transport);
  onTestFinished(() => client.close());
  return {
    call: async (name = 'whoami', signal) =>
      textOf(await client.callTool({ name, arguments: {} }, { ...(signal && { signal }) })),
    list: async () => (await client.listTools()).tools.map(({ name }) => name),
    end: () => transport.terminateSession(),
  };
};

const v1: Connect = async (url, fetch) => {
  const client = new ClientV1(INFO);
  const transport = new TransportV1(new URL(url), { fetch });
  await client.connect(transport as Transport);
  onTestFinished(() => client.close());
  return {
    call: async (name = 'whoami', signal) =>
      textOf(await client.callTool({ name, arguments: {} }, undefined, { ...(signal && { signal }) })),
    list: async () => (await client.listTools()).tools.map(({ name }) => name),
    end: () => transport.terminateSession(),
  };
};

export const CLIENTS: readonly [string, Connect][] = [
  ['v2', v2],
  ['v1', v1],
];

const ACCEPT = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };

/** A client written by hand: it sends what it is told, and takes nothing for granted. */
export interface BareClient {
  /** The session that the client believes to have. */
  id: string | undefined;
  send(method: string, more?: { id?: number; params?: object; init?: RequestInit }): Promise<Response>;
  /** Calls `whoami` on behalf of somebody; the text of the result. */
  call(who: Delegation, init?: RequestInit): Promise<string>;
  get(): Promise<Response>;
  end(): Promise<Response>;
}

/** `params` of an `initialize`. */
export const INITIALIZE = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: INFO };

/** Makes a bare client; nothing is sent. */
export function bareClient(url: string, fetch: DelegatedFetch): BareClient {
  let last = 0;
  const fields = (given?: RequestInit['headers']): Headers => {
    const headers = new Headers(given);
    for (const [name, value] of Object.entries(ACCEPT)) headers.set(name, value);
    if (client.id !== undefined) headers.set('mcp-session-id', client.id);
    return headers;
  };
  const client: BareClient = {
    id: undefined,
    async send(method, { id, params, init = {} } = {}) {
      last += 1;
      const rpcId = method.startsWith('notifications/') ? undefined : (id ?? last);
      const body = JSON.stringify({ jsonrpc: '2.0', id: rpcId, method, params });
      return fetch(url, { ...init, method: 'POST', headers: fields(init.headers), body });
    },
    async call(who, init = {}) {
      const response = await runAs(who, () =>
        client.send('tools/call', { params: { name: 'whoami' }, init }),
      );
      return ((await response.json()) as { result: Result }).result.content[0].text;
    },
    get: () =>
      fetch(url, {
        method: 'GET',
        headers: { ...Object.fromEntries(fields()), accept: 'text/event-stream' },
      }),
    end: () => fetch(url, { method: 'DELETE', headers: fields() }),
  };
  return client;
}

/** Makes a bare client and connects it. */
export async function connectBare(url: string, fetch: DelegatedFetch): Promise<BareClient> {
  const client = bareClient(url, fetch);
  const response = await client.send('initialize', { params: INITIALIZE });
  client.id = response.headers.get('mcp-session-id') ?? undefined;
  await response.body?.cancel();
  await (await client.send('notifications/initialized')).body?.cancel();
  return client;
}
