import { randomUUID } from 'node:crypto';
import type { FetchLike } from '../core/http.ts';
import { httpStatus } from './call-failure.ts';
import { prefixedEventIds } from './event-ids.ts';
import { type Handshake, recordHandshake, repeatHandshake } from './handshake.ts';
import { requestFields } from './headers.ts';
import type { Identity } from './identity.ts';
import type { RpcId } from './rpc-message.ts';
import type { McpServer } from './server.ts';
import { type ServerSession, serverSession } from './server-session.ts';
import type { SessionKeeper } from './session-keeper.ts';
import { type Farewell, type Place, placeOf } from './session-place.ts';

/** The one session that a client believes to have. At the server, each identity that uses the client has its own. */
export interface ClientSession {
  /**
   * `Mcp-Session-Id` that the client knows. It is of our making: a server may give one id to two clients, and one client
   * must not pass for another.
   */
  readonly id: string;
  /** Under which the client opened it; `undefined` when that was a user's whose run nobody remembers. */
  readonly owner: () => Identity | undefined;
  readonly handshake: Handshake;
  /** Whether another identity has used it. */
  isShared: boolean;
  /** Under which identity the last requests were made, so that they can be cancelled from anywhere. */
  readonly calls: Map<RpcId, WeakRef<Identity>>;
  /** Where the session of an identity is, and how requests are made in it. */
  readonly ways: WeakMap<Identity, Way>;
}

interface Way {
  readonly place: Place<ServerSession>;
  readonly send: FetchLike;
}

/** The sessions of the clients that use one `fetch`. */
export interface ClientSessions {
  find(id: string | undefined): ClientSession | undefined;
  /** Takes out of an answer an id that no client knows: a client would take it over, and be in a session that is not known here. */
  unname(response: Response): void;
  /** Takes note of the session that a client has opened, if the server gave it an id, which it puts ours in place of. */
  add(
    owner: Identity,
    opened: { readonly init: RequestInit; readonly response: Response; readonly farewell: Farewell },
  ): void;
  /**
   * Makes a request in the session of an identity, which is opened by the client's own handshake where there is none. What
   * the server answers 404 to, because it has forgotten the session, is made once more in another.
   */
  send(session: ClientSession, identity: Identity, request: ClientRequest): Promise<Response>;
  /** The same for the stream that the client listens to, under the identity that opened its session. */
  listen(session: ClientSession, owner: Identity, request: ClientRequest): Promise<Response>;
  /** Ends the sessions of a client at the server. */
  end(session: ClientSession): Promise<void>;
  clear(): void;
}

/** A request of a client. */
export interface ClientRequest {
  readonly url: string;
  readonly init: RequestInit;
}

/** Most clients that are known. Of one that is forgotten, the sessions are closed, as a server does that has too many. */
const MOST_CLIENTS = 10_000;

export function createClientSessions(server: McpServer, keeper: SessionKeeper): ClientSessions {
  const clients = new Map<string, ClientSession>();

  const wayOf = ({ id: scope, handshake, ways }: ClientSession, identity: Identity): Way => {
    const known = ways.get(identity);
    if (known) return known;
    const open: Place<ServerSession>['open'] = async ({ fetch, signal }) =>
      serverSession(await repeatHandshake(server, handshake, { fetch: fetch(server), signal }));
    const way = { place: placeOf({ scope, server, identity, open }), send: identity.fetch(server) };
    ways.set(identity, way);
    return way;
  };

  const end = async (session: ClientSession): Promise<void> => {
    clients.delete(session.id);
    await keeper.close(session.id);
  };

  return {
    find(id) {
      const session = id === undefined ? undefined : clients.get(id);
      if (!session) return undefined;
      // Last used goes last, so that the first is the one to go.
      clients.delete(session.id);
      clients.set(session.id, session);
      return session;
    },
    unname(response) {
      const id = response.headers.get('mcp-session-id');
      if (id !== null && !clients.has(id)) nameAs(undefined, response);
    },
    add(owner, { init, response, farewell }) {
      const own = response.headers.get('mcp-session-id');
      if (!response.ok || own === null) return;
      const [oldest] = clients.values();
      if (oldest && clients.size >= MOST_CLIENTS) void end(oldest);
      const session: ClientSession = {
        id: randomUUID(),
        owner: remember(owner),
        handshake: recordHandshake(init),
        isShared: false,
        calls: new Map(),
        ways: new WeakMap(),
      };
      keeper.adopt(wayOf(session, owner).place, serverSession({ 'mcp-session-id': own }), farewell);
      clients.set(session.id, session);
      nameAs(session.id, response);
    },
    send(session, identity, { url, init }) {
      const { place, send } = wayOf(session, identity);
      if (session.owner() !== identity) session.isShared = true;
      return keeper.use(place, (own) => send(url, inSession(init, own)), {
        isForgotten: (error) => httpStatus(error) === 404,
        isGone(response, own) {
          own.watch(response);
          nameAs(session.id, response);
          return response.status === 404;
        },
        signal: init.signal ?? undefined,
      });
    },
    async listen(session, owner, request) {
      const response = await this.send(session, owner, request);
      if (!response.ok || !response.body) return response;
      const { status, headers } = response;
      const events = response.body.pipeThrough(prefixedEventIds(eventPrefix(session)));
      return new Response(events, { status, headers });
    },
    end,
    clear: () => clients.clear(),
  };
}

/** What ids of events begin with that were on the stream which the client listens to. All others are a call's. */
export const eventPrefix = ({ id }: ClientSession): string => `${id}.`;

/** Of a user, no longer than anybody else does: the client may outlive the run by far. */
function remember(identity: Identity): () => Identity | undefined {
  // Not one function with both: the closures of one function hold all that any of them needs.
  return identity.delegation ? weakly(new WeakRef(identity)) : () => identity;
}

const weakly =
  <T extends object>(ref: WeakRef<T>): (() => T | undefined) =>
  () =>
    ref.deref();

/** A request with the id of the session that it goes to. The version is the client's own, and stays. */
function inSession(init: RequestInit, { headers }: ServerSession): RequestInit {
  const fields = requestFields(init.headers);
  const id = headers['mcp-session-id'];
  const version = fields['mcp-protocol-version'];
  if (version !== undefined) headers['mcp-protocol-version'] = version;
  if (id === undefined) delete fields['mcp-session-id'];
  else fields['mcp-session-id'] = id;
  return fields === init.headers ? init : { ...init, headers: fields };
}

/** Gives an answer the id that the client knows, if any: clients take over whatever id an answer has. */
function nameAs(id: string | undefined, response: Response): void {
  if (!response.headers.has('mcp-session-id')) return;
  const headers = new Headers(response.headers);
  if (id === undefined) headers.delete('mcp-session-id');
  else headers.set('mcp-session-id', id);
  // A copy of the response would lose its URL, and a stream in between costs more than the rest of this package.
  Object.defineProperty(response, 'headers', { value: headers });
}
