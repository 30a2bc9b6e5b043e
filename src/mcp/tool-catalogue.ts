import type { Tool } from '@modelcontextprotocol/client';
import type { Delegation } from '../broker/delegation.ts';
import { createSingleFlight } from '../broker/single-flight.ts';
import type { ActorSource } from '../core/actor.ts';
import { makeRoom } from '../core/bounded.ts';
import { OnbehalfError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { listTools } from './client.ts';
import { type DiscoveryPolicy, tryInTurn, type Who } from './discovery.ts';
import { createDiscoverySessions } from './discovery-session.ts';
import { ANONYMOUS, createAgentIdentities, type Identity } from './identity.ts';
import type { McpServer } from './server.ts';
import type { SessionPool } from './session-pool.ts';

/** Options of {@link createToolCatalogue}. */
export interface ToolCatalogueOptions {
  /** Where listings on behalf of a user are made. */
  readonly pool: SessionPool;
  /** How long a listing is kept, in milliseconds. Default: five minutes. */
  readonly ttlMs?: number | undefined;
  /** How long after a listing the server is listened to for changes of its tools, in milliseconds. Default: 60,000. */
  readonly listenMs?: number | undefined;
  /** Most listings kept. Default: 1,000. */
  readonly maxEntries?: number | undefined;
}

/** How one server's tools are listed. */
export interface ListOptions {
  /** Default: `auto`. */
  readonly discovery?: DiscoveryPolicy | undefined;
  /**
   * The agent's own token for this server, for `agent` and `auto`. Not the broker's `actor`: whoever sees that token can act as the
   * agent at the STS.
   */
  readonly agentCredential?: ActorSource | undefined;
  /** On whose behalf to list, where that is needed. */
  readonly delegation?: Delegation | undefined;
  /** Leaves the listing; others who wait for it do not. */
  readonly signal?: AbortSignal | undefined;
}

/** The tools of servers, kept across runs: listing them is no reason for an exchange. */
export interface ToolCatalogue {
  /**
   * The tools of a server, 10,000 at most: kept, joined while being listed, or listed.
   *
   * @throws OnbehalfError `delegation_missing` where a listing needs a user and none is known, `delegation_ended` or
   * `subject_expired` where it was made for a user whose delegation can no longer be used; else as `SessionPool.call`:
   * no error repeats what the server said over HTTP
   */
  list(server: McpServer, options?: ListOptions): Promise<readonly Tool[]>;
  /** Forgets the listings of a server. */
  invalidate(server: McpServer): void;
  /** Closes the sessions that listen. */
  close(): Promise<void>;
}

/** Of one listing as many tools are kept: each run goes through all of them. What names tools may name any of so many. */
const MOST_TOOLS = 10_000;

interface Listing {
  readonly tools: readonly Tool[];
  readonly serverId: string;
  readonly expiresAt: number;
}

/** One way to list a server's tools: where the listing is kept, who joins it while it is made, how it is made. */
interface Way {
  readonly key: string;
  readonly flight: string;
  readonly list: (signal: AbortSignal) => Promise<readonly Tool[]>;
}

/** Makes a catalogue of tools. Nothing is listed before it is asked for. */
export function createToolCatalogue(options: ToolCatalogueOptions): ToolCatalogue {
  checkOptions(options, 'createToolCatalogue()', {
    pool: 'object',
    ttlMs: 'positive?',
    listenMs: 'positive?',
    maxEntries: 'positive?',
  });
  const { pool, ttlMs = 300_000, maxEntries = 1_000 } = options;
  const listings = new Map<string, Listing>();
  /** What `auto` found to work, by server. */
  const found = new Map<string, Who>();
  const agentOf = createAgentIdentities();
  const flights = createSingleFlight<readonly Tool[]>(30_000);

  /** A listing that was begun before tools changed must not be kept after. */
  let generation = 0;

  const invalidate = (server: McpServer): void => {
    generation += 1;
    for (const [key, listing] of listings) if (listing.serverId === server.id) listings.delete(key);
  };
  const sessions = createDiscoverySessions({
    onToolsChanged: invalidate,
    idleMs: options.listenMs ?? 60_000,
    maxSessions: maxEntries,
  });
  pool.onToolsChanged(invalidate);

  const keep = (key: string, server: McpServer, tools: readonly Tool[]): void => {
    listings.delete(key);
    makeRoom(listings, maxEntries);
    listings.set(key, { tools, serverId: server.id, expiresAt: Date.now() + ttlMs });
  };

  const remember = (server: McpServer, who: Who): void => {
    found.delete(server.id);
    makeRoom(found, maxEntries);
    found.set(server.id, who);
  };

  const identityOf = (who: Exclude<Who, 'delegated'>, server: McpServer, source?: ActorSource): Identity => {
    if (who === 'anonymous') return ANONYMOUS;
    if (source) return agentOf(source);
    throw new TypeError(`discovery "agent" of ${server.name} needs a credential of the agent's own`);
  };

  const wayOf = (who: Who, server: McpServer, given: ListOptions): Way => {
    if (who === 'delegated') {
      const delegation = required(server, given.delegation);
      // What was listed for a user is for runs of that user which last: a kept listing asks the broker nothing else.
      pool.assertUsable(server, delegation);
      const key = `${who} ${delegation.subject.digest} ${server.id}`;
      return {
        key,
        // A shared listing is made in a session of the first run's group, and would end with that.
        flight: `${key} ${delegation.group}`,
        list: (signal) => pool.call(server, delegation, (client) => listTools(client, signal), { signal }),
      };
    }
    const identity = identityOf(who, server, given.agentCredential);
    const key = `${identity.key} ${server.id}`;
    return { key, flight: key, list: (signal) => sessions.list(server, identity, signal) };
  };

  const listAs = async (who: Who, server: McpServer, given: ListOptions): Promise<readonly Tool[]> => {
    const { key, flight, list } = wayOf(who, server, given);
    const kept = listings.get(key);
    if (kept && kept.expiresAt > Date.now()) return kept.tools;
    const work = async (signal: AbortSignal): Promise<readonly Tool[]> => {
      const begun = generation;
      const tools = (await list(signal)).slice(0, MOST_TOOLS);
      if (begun === generation) keep(key, server, tools);
      return tools;
    };
    return flights.run(flight, work, given.signal);
  };

  const listAuto = (server: McpServer, given: ListOptions): Promise<readonly Tool[]> => {
    const whos: readonly Who[] = given.agentCredential
      ? ['anonymous', 'agent', 'delegated']
      : ['anonymous', 'delegated'];
    return tryInTurn(whos, found.get(server.id), async (who) => {
      const tools = await listAs(who, server, given);
      remember(server, who);
      return tools;
    });
  };

  return {
    list: (server, given = {}) => {
      const { discovery = 'auto' } = given;
      return discovery === 'auto' ? listAuto(server, given) : listAs(discovery, server, given);
    },
    invalidate,
    close: () => sessions.close(),
  };
}

function required(server: McpServer, delegation: Delegation | undefined): Delegation {
  if (delegation) return delegation;
  throw new OnbehalfError(
    'delegation_missing',
    `nobody is known on whose behalf to list the tools of ${server.name}`,
    {
      failure: 'misconfigured',
    },
  );
}
