import { randomUUID } from 'node:crypto';
import type { Tool } from '@modelcontextprotocol/client';
import { type ActorCache, createActorCache } from '../broker/actor-cache.ts';
import { createKeyring } from '../broker/key.ts';
import type { ActorSource } from '../core/actor.ts';
import type { FetchLike } from '../core/http.ts';
import { httpStatus, outgoing } from './call-failure.ts';
import { listTools, type McpSession, openSession } from './client.ts';
import { type HeaderFields, layerHeaders } from './headers.ts';
import type { McpServer } from './server.ts';

/** What a discovery session shows the server: nothing, or the agent's own token. Never a user's. */
export type DiscoveryCredential =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'agent'; readonly source: ActorSource };

const sourceIds = new WeakMap<ActorSource, string>();

/** Names a credential: two sources are two identities, whatever tokens they give. */
export function credentialKey(credential: DiscoveryCredential): string {
  if (credential.kind === 'anonymous') return credential.kind;
  const id = sourceIds.get(credential.source) ?? randomUUID();
  sourceIds.set(credential.source, id);
  return `${credential.kind} ${id}`;
}

/** Sessions for listing tools and hearing that they changed. They are apart from the pool, so no user's call meets one. */
export interface DiscoverySessions {
  list(server: McpServer, credential: DiscoveryCredential, signal: AbortSignal): Promise<readonly Tool[]>;
  close(): Promise<void>;
}

/** Options of {@link createDiscoverySessions}. */
export interface DiscoverySessionsOptions {
  readonly onToolsChanged: (server: McpServer) => void;
  /** How long a session listens after the last listing, in milliseconds. */
  readonly idleMs: number;
}

interface Entry {
  readonly session: McpSession;
  readonly end: () => Promise<void>;
  idle?: ReturnType<typeof setTimeout>;
}

/** What hangs holds up those who wait now, and not those who come later. */
const LISTING_MS = 30_000;

export function createDiscoverySessions(options: DiscoverySessionsOptions): DiscoverySessions {
  const entries = new Map<string, Entry>();
  const agents = new WeakMap<ActorSource, ActorCache>();
  const ending = new AbortController();

  const fetchAs = (server: McpServer, credential: DiscoveryCredential): FetchLike => {
    if (credential.kind === 'anonymous') return server.fetch;
    const { source } = credential;
    const agent =
      agents.get(source) ??
      createActorCache(source, createKeyring(), { now: Date.now, deadlineMs: LISTING_MS });
    agents.set(source, agent);
    return async (url, init) => {
      const { token } = await agent.current(init.signal ?? undefined);
      const authorization = { authorization: `Bearer ${token.token}` };
      return server.fetch(url, {
        ...init,
        headers: layerHeaders(init.headers as HeaderFields, authorization),
      });
    };
  };

  const open = async (
    key: string,
    server: McpServer,
    { credential, signal }: { credential: DiscoveryCredential; signal: AbortSignal },
  ): Promise<Entry> => {
    const session = await openSession(server, {
      fetch: (to) => fetchAs(to, credential),
      listen: true,
      onToolsChanged: () => options.onToolsChanged(server),
      signal: AbortSignal.any([signal, ending.signal]),
    });
    const entry: Entry = {
      session,
      end: async () => {
        clearTimeout(entry.idle);
        if (entries.get(key) === entry) entries.delete(key);
        await session.end();
      },
    };
    return entry;
  };

  const rest = (key: string, entry: Entry): void => {
    clearTimeout(entry.idle);
    entry.idle = setTimeout(() => void entry.end(), options.idleMs).unref();
    entries.set(key, entry);
    if (ending.signal.aborted) void entry.end();
  };

  return {
    async list(server, credential, signal) {
      const key = `${credentialKey(credential)} ${server.id}`;
      const kept = entries.get(key);
      const entry = kept ?? (await open(key, server, { credential, signal }));
      try {
        const tools = await listTools(entry.session.client, signal);
        rest(key, entry);
        return tools;
      } catch (error) {
        await entry.end();
        // A server that was started anew does not know the session (404): it is asked in another.
        if (!kept || httpStatus(error) !== 404) throw outgoing(server, error, signal);
        return this.list(server, credential, signal);
      }
    },
    async close() {
      ending.abort();
      await Promise.all([...entries.values()].map((entry) => entry.end()));
    },
  };
}
