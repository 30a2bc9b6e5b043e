import type { Delegation } from '../broker/delegation.ts';
import type { Broker } from '../broker/types.ts';
import type { ActorSource } from '../core/actor.ts';
import { OnbehalfError } from '../core/errors.ts';
import { httpStatus } from './call-failure.ts';
import { readChallenge } from './challenge.ts';
import {
  type ClientRequest,
  type ClientSession,
  type ClientSessions,
  eventPrefix,
} from './client-sessions.ts';
import { type DiscoveryPolicy, isRefusal, tryInTurn, type Who } from './discovery.ts';
import { requestFields } from './headers.ts';
import { ANONYMOUS, createAgentIdentities, type Identity, userIdentity } from './identity.ts';
import { rejected } from './rejection.ts';
import { isDiscovery, type RpcMessage } from './rpc-message.ts';
import type { McpServer } from './server.ts';
import type { SessionKeeper } from './session-keeper.ts';

/** A request of an MCP client, and whom it is for. */
export interface RoutedRequest extends ClientRequest {
  readonly message: RpcMessage;
  readonly caller: Delegation | undefined;
}

/** What a router needs. */
export interface RouterOptions {
  readonly broker: Broker;
  readonly server: McpServer;
  readonly keeper: SessionKeeper;
  readonly clients: ClientSessions;
  readonly discovery: DiscoveryPolicy | undefined;
  readonly agentCredential: ActorSource | undefined;
}

/** Makes each request of a client under the identity, and in the session, that it belongs to. */
export function createRouter(options: RouterOptions): (request: RoutedRequest) => Promise<Response> {
  const { broker, server, keeper, clients, discovery = 'auto', agentCredential } = options;
  const agentOf = createAgentIdentities();
  const home = server.url.href;
  const isHome = (url: string): boolean => url === home || new URL(url).href === home;
  const users = new WeakMap<Delegation, Identity>();
  /** What `auto` found to work, by method. There are only so many methods of discovery. */
  const found = new Map<string, Who>();

  const userOf = (caller: Delegation | undefined): Identity => {
    if (!caller) throw nobody(server);
    const known = users.get(caller);
    if (known) return known;
    // What is no delegation of this broker is refused here, whatever it is.
    const identity = userIdentity(broker, caller);
    identity.assertUsable(server);
    users.set(caller, identity);
    return identity;
  };

  const identityOf = (who: Who, caller: Delegation | undefined): Identity => {
    if (who === 'anonymous') return ANONYMOUS;
    return who === 'agent' && agentCredential ? agentOf(agentCredential) : userOf(caller);
  };

  /** The identities that there are. */
  const whosOf = (caller: Delegation | undefined): readonly Who[] => {
    if (discovery !== 'auto') return [discovery];
    const agent: readonly Who[] = agentCredential ? ['agent'] : [];
    return ['anonymous', ...agent, ...(caller ? (['delegated'] as const) : [])];
  };

  const sendAs = (
    identity: Identity,
    session: ClientSession | undefined,
    request: ClientRequest,
  ): Promise<Response> => {
    if (!session) return identity.fetch(server)(request.url, request.init);
    if (server.target || !identity.delegation) return clients.send(session, identity, request);
    // Its session is closed with the token that is kept then, and for that its target must be known.
    return server
      .resolveTarget(request.init.signal ?? undefined)
      .then(() => clients.send(session, identity, request));
  };

  const connect = async (identity: Identity, request: ClientRequest): Promise<Response> => {
    const { init } = request;
    const signal = init.signal ?? undefined;
    if (identity.delegation && !server.target) await server.resolveTarget(signal);
    const farewell = identity.farewell(server);
    const free = await keeper.reserve(signal);
    try {
      const response = await identity.fetch(server)(request.url, init);
      clients.add(identity, { init, response, farewell });
      return response;
    } finally {
      free();
    }
  };

  const discover = async (
    method: string,
    caller: Delegation | undefined,
    send: (identity: Identity) => Promise<Response>,
  ): Promise<Response> => {
    const whos = whosOf(caller);
    let last: Who = 'anonymous';
    const attempt = async (who: Who): Promise<Response> => {
      last = who;
      const response = await send(identityOf(who, caller));
      if (response.ok) found.set(method, who);
      if (!isRefusal(response.status)) return response;
      void response.body?.cancel().catch(() => {});
      const token = who === 'anonymous' ? undefined : 'unknown';
      throw rejected(server, response.status, { challenge: readChallenge(response), token });
    };
    try {
      return await tryInTurn(whos, found.get(method) ?? found.get('initialize'), attempt);
    } catch (error) {
      const status = httpStatus(error);
      if (caller || discovery !== 'auto' || status === undefined || !isRefusal(status)) throw error;
      throw unwelcome(server, last, { method, status });
    }
  };

  /** What belongs to the client's own session, and to nobody else's. */
  const sendAsOwner = (
    session: ClientSession,
    request: ClientRequest,
    listens: boolean,
  ): Promise<Response> => {
    const owner = session.owner();
    // The run that it was opened for is long over: as of a server without such a stream.
    if (!owner) return Promise.resolve(unsent(405));
    return listens ? clients.listen(session, owner, request) : sendAs(owner, session, request);
  };

  /** A stream is resumed as whom it was begun: that of a call as its caller, and as nobody else, also when that is refused. */
  const resume = (
    session: ClientSession | undefined,
    caller: Delegation | undefined,
    request: ClientRequest,
  ): Promise<Response> => {
    const fields = requestFields(request.init.headers);
    const event = fields['last-event-id'] ?? '';
    if (!session || !event.startsWith(eventPrefix(session))) return sendAs(userOf(caller), session, request);
    fields['last-event-id'] = event.slice(eventPrefix(session).length);
    return sendAsOwner(session, request, true);
  };

  return (request) => {
    const { init, message, caller } = request;
    const { method } = message;
    const verb = (init.method ?? 'GET').toUpperCase();
    const fields = requestFields(init.headers);
    const id = fields['mcp-session-id'];
    const session = clients.find(id);
    // A session of nobody knows whom: as at a server that has forgotten it, the client has to connect anew.
    if (id !== undefined && !session && method !== 'initialize') {
      return Promise.resolve(verb === 'DELETE' ? unsent(204) : unknownSession(message));
    }
    const plain = { url: request.url, init: { ...init, headers: fields } };
    if (session && verb === 'DELETE') {
      return clients.end(session).then(() => new Response(null, { status: 204 }));
    }
    // Anywhere else, and in any other way, it may be something else to the server.
    const isPlain = verb === (method === undefined ? 'GET' : 'POST') && isHome(request.url);
    const named = fields['mcp-method'];
    const discovers = isPlain && isDiscovery(method) && (named === undefined || named === method);
    if (discovers && method === 'initialize') {
      delete fields['mcp-session-id'];
      return discover(method, caller, (identity) => connect(identity, plain));
    }
    const listens = isPlain && verb === 'GET' && fields.accept?.includes('text/event-stream') === true;
    if (listens && fields['last-event-id'] !== undefined) return resume(session, caller, plain);
    if (session && (listens || (discovers && method === 'notifications/initialized')))
      return sendAsOwner(session, plain, listens);
    if (listens || discovers) {
      return discover(method ?? verb, caller, (identity) => sendAs(identity, session, plain));
    }
    if (session && message.cancels !== undefined) {
      const identity = session.calls.get(message.cancels)?.deref();
      // Nobody's request: nobody has to be told that it is cancelled.
      return identity ? sendAs(identity, session, plain) : Promise.resolve(unsent(202));
    }
    const isAside =
      message.isAnswer || (message.id === undefined && method?.startsWith('notifications/') === true);
    const identity = (isAside && !caller && session && ownerAlone(session)) || userOf(caller);
    if (session && message.id !== undefined) note(session, message.id, identity);
    return sendAs(identity, session, plain);
  };
}

const answers = new WeakSet<Response>();

/** An answer of our own: nothing was sent. */
function unsent(status: number, body: string | null = null): Response {
  const response = new Response(body, { status });
  answers.add(response);
  return response;
}

function unknownSession({ id }: RpcMessage): Response {
  const message = 'this session has been ended, or is not of this process: the client has to connect anew';
  return unsent(404, JSON.stringify({ jsonrpc: '2.0', id: id ?? null, error: { code: -32_001, message } }));
}

/** Whether nothing was sent for an answer. */
export const isUnsent = (response: Response): boolean => answers.has(response);

/** Most requests of a client that can still be cancelled. */
const MOST_CALLS = 1_000;

const refs = new WeakMap<Identity, WeakRef<Identity>>();

function note({ calls }: ClientSession, id: string | number, identity: Identity): void {
  if (calls.size >= MOST_CALLS) calls.delete(calls.keys().next().value as string);
  const ref = refs.get(identity) ?? new WeakRef(identity);
  if (!refs.has(identity)) refs.set(identity, ref);
  calls.set(id, ref);
}

/** Whose an answer or a notification is that comes from nowhere: the owner's, unless there may be another user's. */
function ownerAlone(session: ClientSession): Identity | undefined {
  const owner = session.owner();
  return owner?.delegation && session.isShared ? undefined : owner;
}

function nobody({ name }: McpServer): OnbehalfError {
  const message = `nobody is known on whose behalf to call ${name}: call it inside runAs(delegation, ...)`;
  return new OnbehalfError('delegation_missing', message, { failure: 'misconfigured' });
}

/** A client connects, or lists, for nobody, and the server wants a token for that. */
function unwelcome(
  { name }: McpServer,
  who: Who,
  { method, status }: { readonly method: string; readonly status: number },
): OnbehalfError {
  if (who === 'agent') {
    const message =
      `${name} refused the agent's own token for "${method}" (status ${status}): ` +
      'is the "agentCredential" made for this server?';
    return new OnbehalfError('server_rejected_token', message, { failure: 'denied', status });
  }
  const message =
    `${name} answered with status ${status} to "${method}", so it wants a token for that, and nobody is known on ` +
    'whose behalf it is: give an "agentCredential", or connect inside runAs(delegation, ...)';
  return new OnbehalfError('delegation_missing', message, { failure: 'misconfigured', status });
}
