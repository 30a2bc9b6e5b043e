import { randomUUID } from 'node:crypto';
import type { FetchLike } from '../core/http.ts';
import { httpStatus } from './call-failure.ts';
import { type Handshake, recordHandshake, repeatHandshake } from './handshake.ts';
import { type RequestFields, requestFields } from './headers.ts';
import type { Identity } from './identity.ts';
import type { RpcId } from './rpc-message.ts';
import type { McpServer } from './server.ts';
import { type ServerSession, serverSession } from './server-session.ts';
import { type Place, placeOf, type SessionKeeper } from './session-keeper.ts';

/** The one session that a client believes to have. At the server, each identity that uses the client has its own. */
export interface ClientSession {
  /** `Mcp-Session-Id` that the client knows. */
  readonly id: string;
  /** Under which the client opened it. */
  readonly owner: Identity;
  readonly handshake: Handshake;
  /** Sets its sessions at the server apart from those of other clients. */
  readonly scope: string;
  /** Under which identity the last requests were made, so that they can be cancelled from anywhere. */
  readonly calls: Map<RpcId, Identity>;
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
  /** Takes note of the session that a client has opened. */
  add(owner: Identity, opened: { readonly id: string; readonly init: RequestInit }): void;
  /**
   * Makes a request in the session of an identity, which is opened by the client's own handshake where there is none. What
   * the server answers 404 to, because it has forgotten the session, is made once more in another.
   */
  send(session: ClientSession, identity: Identity, request: ClientRequest): Promise<Response>;
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

  const wayOf = ({ scope, handshake, ways }: ClientSession, identity: Identity): Way => {
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
    await keeper.close({ scope: session.scope });
  };

  return {
    find: (id) => (id === undefined ? undefined : clients.get(id)),
    add(owner, { id, init }) {
      const [oldest] = clients.values();
      if (oldest && clients.size >= MOST_CLIENTS) void end(oldest);
      const session: ClientSession = {
        ...{ id, owner, scope: randomUUID() },
        handshake: recordHandshake(init),
        calls: new Map(),
        ways: new WeakMap(),
      };
      clients.set(id, session);
      keeper.adopt(wayOf(session, owner).place, serverSession({ 'mcp-session-id': id }));
    },
    send(session, identity, { url, init }) {
      const { place, send } = wayOf(session, identity);
      return keeper.use(place, (own) => send(url, { ...init, headers: inSession(init, own) }), {
        isForgotten: (error) => httpStatus(error) === 404,
        isGone(response, own) {
          own.watch(response);
          nameAs(session.id, response);
          return response.status === 404;
        },
        signal: init.signal ?? undefined,
      });
    },
    end,
    clear: () => clients.clear(),
  };
}

/** A request's fields with the id of the session that it goes to. The version is the client's own, and stays. */
function inSession(init: RequestInit, { headers }: ServerSession): RequestFields {
  const fields = requestFields(init.headers);
  const id = headers['mcp-session-id'];
  const version = fields['mcp-protocol-version'];
  if (version !== undefined) headers['mcp-protocol-version'] = version;
  if (id === undefined) delete fields['mcp-session-id'];
  else fields['mcp-session-id'] = id;
  return fields;
}

/** Gives an answer the id that the client knows: clients take over whatever id an answer has. */
function nameAs(id: string, response: Response): void {
  const own = response.headers.get('mcp-session-id');
  if (own === null || own === id) return;
  const headers = new Headers(response.headers);
  headers.set('mcp-session-id', id);
  // A copy of the response would lose its URL, and a stream in between costs more than the rest of this package.
  Object.defineProperty(response, 'headers', { value: headers });
}
