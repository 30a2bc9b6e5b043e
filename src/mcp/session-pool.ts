import type { Client } from '@modelcontextprotocol/client';
import type { Delegation } from '../broker/delegation.ts';
import type { Broker } from '../broker/types.ts';
import { abortable } from '../core/abortable.ts';
import { OnbehalfError } from '../core/errors.ts';
import type { IssuedToken } from '../core/issued-token.ts';
import { checkOptions } from '../core/options.ts';
import { findOnbehalfError, httpStatus, outgoing } from './call-failure.ts';
import { DELETE_TIMEOUT_MS, type McpSession, openSession } from './client.ts';
import { delegatedFetch } from './delegated-fetch.ts';
import type { McpServer } from './server.ts';

/** Options of {@link createSessionPool}. */
export interface SessionPoolOptions {
  /** Who gives the tokens. */
  readonly broker: Broker;
  /** A session that nobody used for this long is closed, in milliseconds. Default: 60,000. */
  readonly idleMs?: number | undefined;
  /** Most sessions open at once; an idle one makes room. Default: 10,000. */
  readonly maxSessions?: number | undefined;
}

/** MCP sessions kept open, one for each server, target and run group; so never shared between subjects. */
export interface SessionPool {
  /**
   * Calls a server on behalf of a subject in the session kept for that, opened at the first call. When the server
   * has forgotten the session (404 to its id, so it did nothing), another is opened and `use` called once more: so
   * `use` makes one request, or requests that may be repeated.
   *
   * What the server says over HTTP is repeated in no error, and a token that it repeats in a JSON-RPC message is
   * replaced by `[redacted]`, in results too, as far as it is spelt as it was sent.
   *
   * @throws OnbehalfError `server_rejected_token`, `server_unreachable` or `server_failed`, `delegation_ended`,
   * `capacity_exceeded`, `peer_missing`, or what `Broker.token` throws; a JSON-RPC error of the server, as the SDK
   * gives it; the reason of `signal`; an AbortError when the run ends, or the pool is closed, while the session is
   * opened; whatever else `use` throws
   */
  call<T>(
    server: McpServer,
    delegation: Delegation,
    use: (client: Client) => Promise<T>,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<T>;
  /**
   * Throws as `call` does where a delegation cannot be used: it is not one of this pool's broker, its run has ended, its
   * subject token has expired. Nothing is sent.
   */
  assertUsable(server: McpServer, delegation: Delegation): void;
  /** Calls back when a server says that its tools have changed. */
  onToolsChanged(listener: (server: McpServer) => void): void;
  /** Resolves when the DELETE requests under way have been answered. */
  settled(): Promise<void>;
  /** Closes every session with DELETE. */
  close(): Promise<void>;
  /** Sessions open. */
  readonly size: number;
}

interface Entry {
  readonly server: McpServer;
  readonly group: string;
  readonly opening: Promise<McpSession>;
  readonly opened: AbortController;
  /** Reads the kept token for the closing DELETE; see `Broker.reader`. */
  readonly read: () => IssuedToken | undefined;
  /** The runs with a call under way in it. All have the same subject, so a request may be made under any that lasts. */
  readonly users: Delegation[];
  idle: ReturnType<typeof setTimeout> | undefined;
}

/** Makes a pool of MCP sessions. Nothing is opened before the first call. */
export function createSessionPool(options: SessionPoolOptions): SessionPool {
  checkOptions(options, 'createSessionPool()', {
    broker: 'object',
    idleMs: 'positive?',
    maxSessions: 'positive?',
  });
  const { broker, idleMs = 60_000, maxSessions = 10_000 } = options;
  const entries = new Map<string, Entry>();
  const closing = new Set<Promise<void>>();
  const listeners = new Set<(server: McpServer) => void>();
  let closed = false;

  const isActive = (delegation: Delegation): boolean => broker.status(delegation) === 'active';

  const open = (server: McpServer, delegation: Delegation): Entry => {
    const opened = new AbortController();
    const entry: Entry = {
      server,
      group: delegation.group,
      opened,
      read: broker.reader(delegation, server.target),
      users: [],
      idle: undefined,
      opening: Promise.resolve().then(() =>
        openSession(server, {
          fetch: (to) => delegatedFetch(broker, to, () => entry.users.findLast(isActive) ?? delegation),
          listen: false,
          onToolsChanged: () => {
            for (const listener of listeners) listener(server);
          },
          signal: opened.signal,
        }),
      ),
    };
    entry.opening.catch(() => drop(entry));
    return entry;
  };

  const keyOf = (entry: { server: McpServer; group: string }): string => `${entry.group} ${entry.server.id}`;

  const drop = (entry: Entry): void => {
    clearTimeout(entry.idle);
    if (entries.get(keyOf(entry)) === entry) entries.delete(keyOf(entry));
  };

  /** Closes at once; what has to be said to the server is said with the token kept at this moment. */
  const close = (entry: Entry): void => {
    drop(entry);
    const token = entry.read();
    const task = entry.opening
      .then(async ({ client, headers }) => {
        if (token && headers['mcp-session-id']) await sendDelete(entry.server, headers, token);
        await client.close();
      })
      .catch(() => {});
    entry.opened.abort();
    closing.add(task);
    void task.finally(() => closing.delete(task));
  };

  const makeRoom = (): void => {
    if (entries.size < maxSessions) return;
    for (const entry of entries.values()) {
      if (entry.users.length > 0) continue;
      close(entry);
      return;
    }
    throw new OnbehalfError(
      'capacity_exceeded',
      `${maxSessions} MCP sessions are in use, the most there may be`,
      {
        failure: 'unavailable',
      },
    );
  };

  const assertUsable = (server: McpServer, delegation: Delegation): void => {
    if (closed) throw new TypeError('this session pool was closed');
    broker.reader(delegation, server.target);
  };

  const acquire = (server: McpServer, delegation: Delegation): Entry => {
    // A session may be shared; a run that has ended must not ride on another one's.
    assertUsable(server, delegation);
    const key = keyOf({ server, group: delegation.group });
    let entry = entries.get(key);
    if (!entry) {
      makeRoom();
      entry = open(server, delegation);
    }
    // Last used goes last, so that the first idle one is the one to go.
    entries.delete(key);
    entries.set(key, entry);
    entry.users.push(delegation);
    clearTimeout(entry.idle);
    return entry;
  };

  const release = (entry: Entry, delegation: Delegation): void => {
    entry.users.splice(entry.users.lastIndexOf(delegation), 1);
    if (entry.users.length > 0) return;
    if (entries.get(keyOf(entry)) === entry) entry.idle = setTimeout(() => close(entry), idleMs).unref();
    // Forgotten by its server: it was left to those who still had a call in it.
    else void entry.opening.then(({ client }) => client.close()).catch(() => {});
  };

  const attempt = async <T>(
    entry: Entry,
    use: (client: Client) => Promise<T>,
    { delegation, signal }: { delegation: Delegation; signal: AbortSignal | undefined },
  ): Promise<T> => {
    try {
      const { client } = await abortable(entry.opening, signal);
      return await use(client);
    } finally {
      release(entry, delegation);
    }
  };

  /** Whether nothing was done: the server knows no such session, or a shared opening was made under an ended run. */
  const wasNotDone = async (entry: Entry, delegation: Delegation, error: unknown): Promise<boolean> => {
    if (findOnbehalfError(error)?.code === 'delegation_ended') return isActive(delegation);
    if (httpStatus(error) !== 404) return false;
    drop(entry);
    // Without a session id there is no session to forget: then 404 is an answer like any other.
    const session = await entry.opening.catch(() => undefined);
    return session?.headers['mcp-session-id'] !== undefined;
  };

  const stop = broker.onGroupEnd((group) => {
    for (const entry of entries.values()) if (entry.group === group) close(entry);
  });

  return {
    async call(server, delegation, use, { signal } = {}) {
      const entry = acquire(server, delegation);
      try {
        return await attempt(entry, use, { delegation, signal });
      } catch (error) {
        if (!(await wasNotDone(entry, delegation, error))) throw outgoing(server, error, signal);
      }
      try {
        return await attempt(acquire(server, delegation), use, { delegation, signal });
      } catch (error) {
        throw outgoing(server, error, signal);
      }
    },
    assertUsable,
    onToolsChanged: (listener) => void listeners.add(listener),
    settled: async () => void (await Promise.all(closing)),
    async close() {
      closed = true;
      stop();
      for (const entry of entries.values()) close(entry);
      await Promise.all(closing);
    },
    get size() {
      return entries.size;
    },
  };
}

/** Ends a session at the server (MCP Streamable HTTP, session management). A server may refuse; that is its right. */
async function sendDelete(
  server: McpServer,
  session: Readonly<Record<string, string>>,
  token: IssuedToken,
): Promise<void> {
  const headers = { ...session, authorization: `Bearer ${token.accessToken}` };
  const signal = AbortSignal.timeout(DELETE_TIMEOUT_MS);
  const response = await server.fetch(server.url.href, { method: 'DELETE', headers, signal });
  await response.body?.cancel();
}
