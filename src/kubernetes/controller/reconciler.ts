import type { FetchLike } from '../../core/http.ts';
import type { DiscoveredTool, RemoteMCPServer } from '../api/remote-mcp-server.ts';
import type { KubeClient } from '../client/types.ts';
import type { ObjectKey } from '../compile/types.ts';
import type { DependencyIndex } from './dependency-index.ts';
import type { EventRecorder } from './events.ts';
import type { LookPool } from './look-pool.ts';
import type { Outcome } from './outcome.ts';
import type { Texts } from './texts.ts';
import type { World } from './world.ts';

/**
 * Lists the tools of a server, as the controller itself. It has to bound the time it takes.
 *
 * @param signal - aborts when the controller ends
 * @throws Error with a message that a person understands, and that holds no secret
 */
export type ListTools = (server: RemoteMCPServer, signal: AbortSignal) => Promise<readonly DiscoveredTool[]>;

/** What reconciles have in common. */
export interface ReconcileContext {
  readonly client: KubeClient;
  readonly world: World;
  readonly index: DependencyIndex;
  readonly events: EventRecorder;
  readonly texts: Texts;
  readonly agentImage: string;
  readonly listTools: ListTools | undefined;
  readonly fetch: FetchLike;
  /** Where looks at things outside the cluster are made. */
  readonly pool: LookPool;
  /** Asks for a reconcile of a key as text, while this instance leads. */
  readonly enqueue: (key: string) => void;
  /** Told of a failure, and where it was. */
  readonly onError: (error: unknown, place: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Brings the world to what an object says, whatever has happened before: it looks at how things are, not at what has
 * changed.
 *
 * @throws KubeError when a status could not be written
 */
export type Reconcile = (key: ObjectKey, signal: AbortSignal) => Promise<Outcome>;
