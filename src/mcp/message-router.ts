import type { Delegation } from '../broker/delegation.ts';
import type { Broker } from '../broker/types.ts';
import type { ActorSource } from '../core/actor.ts';
import { OnbehalfError } from '../core/errors.ts';
import { httpStatus } from './call-failure.ts';
import { readChallenge } from './challenge.ts';
import type { ClientRequest, ClientSession, ClientSessions } from './client-sessions.ts';
import { requestFields } from './headers.ts';
import { ANONYMOUS, createAgentIdentities, type Identity, userIdentity } from './identity.ts';
import { rejected } from './rejection.ts';
import { isDiscovery, type RpcMessage } from './rpc-message.ts';
import type { McpServer } from './server.ts';
import type { SessionKeeper } from './session-keeper.ts';
import type { DiscoveryPolicy } from './tool-catalogue.ts';

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

type Who = Exclude<DiscoveryPolicy, 'auto'>;

/** Makes each request of a client under the identity, and in the session, that it belongs to. */
export function createRouter(options: RouterOptions): (request: RoutedRequest) => Promise<Response> {
  const { broker, server, keeper, clients, discovery = 'auto', agentCredential } = options;
  const agentOf = createAgentIdentities();
  const users = new WeakMap<Delegation, Identity>();
  /** What `auto` found to work, by method. There are only so many methods of discovery. */
  const found = new Map<string, Who>();

  const userOf = (caller: Delegation | undefined): Identity => {
    if (!caller) throw nobody(server, 'call it');
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

  /** The identities to try, in this order. */
  const order = (method: string, caller: Delegation | undefined): readonly Who[] => {
    if (discovery !== 'auto') return [discovery];
    const all: Who[] = ['anonymous'];
    if (agentCredential) all.push('agent');
    if (caller) all.push('delegated');
    const known = found.get(method) ?? found.get('initialize');
    return known && all.includes(known) ? [known, ...all.filter((who) => who !== known)] : all;
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
    const free = await keeper.reserve(init.signal ?? undefined);
    try {
      const response = await sendAs(identity, undefined, request);
      const id = response.ok ? response.headers.get('mcp-session-id') : null;
      if (id !== null) clients.add(identity, { id, init });
      return response;
    } finally {
      free();
    }
  };

  /** Tries one identity after the other until one is not refused. */
  const discover = async (
    method: string,
    caller: Delegation | undefined,
    send: (identity: Identity) => Promise<Response>,
  ): Promise<Response> => {
    const whos = order(method, caller);
    for (const who of whos) {
      const last = who === whos.at(-1);
      try {
        const response = await send(identityOf(who, caller));
        if (response.ok) found.set(method, who);
        if (!isRefusal(response.status)) return response;
        void response.body?.cancel().catch(() => {});
        if (last)
          throw rejected(server, response.status, { challenge: readChallenge(response), token: undefined });
      } catch (error) {
        if (!isRefusal(httpStatus(error))) throw error;
        if (last) throw caller || discovery !== 'auto' ? error : nobody(server, 'connect');
      }
    }
    throw new Error('unreachable');
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
      return Promise.resolve(unsent(verb === 'DELETE' ? 204 : 404));
    }
    const plain = { url: request.url, init: { ...init, headers: fields } };
    if (session && verb === 'DELETE') {
      return clients.end(session).then(() => new Response(null, { status: 204 }));
    }
    if (method === 'initialize') return discover(method, caller, (identity) => connect(identity, plain));
    // What belongs to the client's own session, and to nobody else's; but a stream that is resumed is a call's.
    const listens = verb === 'GET' && fields.accept?.includes('text/event-stream') === true;
    if (session && (listens || method === 'notifications/initialized')) {
      const resumes = caller && fields['last-event-id'] !== undefined;
      return sendAs(resumes ? userOf(caller) : session.owner, session, plain);
    }
    if (listens || isDiscovery(method)) {
      return discover(method ?? verb, caller, (identity) => sendAs(identity, session, plain));
    }
    if (session && message.cancels !== undefined) {
      const identity = session.calls.get(message.cancels);
      // Nobody's request: nobody has to be told that it is cancelled.
      return identity ? sendAs(identity, session, plain) : Promise.resolve(unsent(202));
    }
    const isAside = session && (message.isAnswer || method?.startsWith('notifications/'));
    const identity = isAside && !caller ? session.owner : userOf(caller);
    if (session && message.id !== undefined) note(session, message.id, identity);
    return sendAs(identity, session, plain);
  };
}

const answers = new WeakSet<Response>();

/** An answer of our own: nothing was sent. */
function unsent(status: number): Response {
  const response = new Response(null, { status });
  answers.add(response);
  return response;
}

/** Whether nothing was sent for an answer. */
export const isUnsent = (response: Response): boolean => answers.has(response);

const isRefusal = (status: number | undefined): boolean => status === 401 || status === 403;

/** Most requests of a client that can still be cancelled. */
const MOST_CALLS = 1_000;

function note({ calls }: ClientSession, id: string | number, identity: Identity): void {
  if (calls.size >= MOST_CALLS) calls.delete(calls.keys().next().value as string);
  calls.set(id, identity);
}

function nobody(server: McpServer, what: string): OnbehalfError {
  const hint = what === 'connect' ? ', or give an "agentCredential"' : '';
  const message = `nobody is known on whose behalf to call ${server.name}: ${what} inside runAs(delegation, ...)${hint}`;
  return new OnbehalfError('delegation_missing', message, { failure: 'misconfigured' });
}
