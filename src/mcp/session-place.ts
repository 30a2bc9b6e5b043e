import type { Delegation } from '../broker/delegation.ts';
import type { Broker } from '../broker/types.ts';
import type { FetchLike } from '../core/http.ts';
import { type Identity, userKey } from './identity.ts';
import type { McpServer } from './server.ts';

/** How long sessions are kept, and how many. */
export interface SessionLimits {
  /** A session that nobody used for this long is closed, in milliseconds. Default: 60,000. */
  readonly idleMs?: number | undefined;
  /** Longest that a session is used; calls under way in it are finished, in milliseconds. Default: one hour. */
  readonly maxSessionMs?: number | undefined;
  /** Most sessions open at once; an idle one makes room. Default: 10,000. */
  readonly maxSessions?: number | undefined;
  /**
   * Longest that a call waits for room when all sessions are in use, in milliseconds; 0 for not at all. Default: 10,000.
   */
  readonly maxWaitMs?: number | undefined;
}

/** What {@link SessionLimits} must be. */
export const LIMITS = {
  idleMs: 'positive?',
  maxSessionMs: 'positive?',
  maxSessions: 'positive?',
  maxWaitMs: 'natural?',
} as const;

/** What is needed to open a session. */
export interface Opening {
  /** Makes requests under the session's identity, for whichever run has a call under way in it. */
  readonly fetch: (server: McpServer) => FetchLike;
  /** Aborts when the session is given up before it is open. */
  readonly signal: AbortSignal;
}

/** An open session, as the keeper sees it. */
export interface OpenSession {
  /** `Mcp-Session-Id` that the server gave, and the negotiated version: what a DELETE has to carry. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether something is still under way in it that no call waits for, a stream, say. */
  readonly busy?: () => boolean;
  /** Lets go of it on this side. */
  readonly dispose?: () => Promise<void>;
}

/** Where a session belongs, and how it is opened. */
export interface Place<S extends OpenSession> {
  /** Names it. */
  readonly key: string;
  /** What it belongs to besides its identity and server; closed together. */
  readonly scope: string;
  readonly server: McpServer;
  readonly identity: Identity;
  readonly open: (opening: Opening) => Promise<S>;
}

/** Makes a {@link Place}: one for each scope, server and identity. */
export function placeOf<S extends OpenSession>(place: Omit<Place<S>, 'key'>): Place<S> {
  return { ...place, key: `${place.identity.key} ${place.server.id} ${place.scope}` };
}

/** See `Identity.farewell`. */
export type Farewell = () => FetchLike | undefined;

/** What a keeper asks about runs. */
export interface Runs {
  /** Whether a run lasts. */
  readonly isActive: (delegation: Delegation) => boolean;
  /** Calls back with the key of an identity that has come to its end. Returns the way to stop. */
  readonly onEnd: (listener: (identity: string) => void) => () => void;
}

/** Sessions that are no user's. */
export const NO_RUNS: Runs = { isActive: () => false, onEnd: () => () => {} };

/** The runs of a broker. */
export function runsOf(broker: Broker): Runs {
  return {
    isActive: (delegation) => broker.status(delegation) === 'active',
    onEnd: (listener) => broker.onGroupEnd((group) => listener(userKey(group))),
  };
}
