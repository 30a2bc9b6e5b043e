import type { FetchLike } from '../../core/http.ts';
import { checkOptions } from '../../core/options.ts';
import type { Kind } from '../api/kinds.ts';
import type { KubeClient } from '../client/types.ts';
import type { ObjectKey } from '../compile/types.ts';
import { createWorkQueue, type Handled, type WorkQueue, type WorkQueueSizes } from '../queue/work-queue.ts';
import { countedClient, type Writes } from './counted-client.ts';
import { createDependencyIndex } from './dependency-index.ts';
import { createEventRecorder } from './events.ts';
import { keyOfText, keyText } from './keys.ts';
import { createLookPool, type LookPoolSizes } from './look-pool.ts';
import { handledOf, type Outcome } from './outcome.ts';
import { agentReconciler } from './reconcile-agent.ts';
import { modelConfigReconciler } from './reconcile-model-config.ts';
import { remoteMcpServerReconciler } from './reconcile-remote-mcp-server.ts';
import { tokenServiceReconciler } from './reconcile-token-service.ts';
import type { ListTools, Reconcile, ReconcileContext } from './reconciler.ts';
import { createTexts } from './texts.ts';
import { triggeredBy } from './triggers.ts';
import { createWorld } from './world.ts';

/** Told what the controller does. What a listener throws is ignored. */
export interface ControllerObserver {
  /** A reconcile has ended. */
  readonly onReconcile?: ((event: ReconcileEvent) => void) | undefined;
  /** Something failed that the controller lives on with; `place` says where, e.g. `watch Secret`. */
  readonly onError?: ((error: unknown, place: string) => void) | undefined;
}

/** One reconcile. */
export interface ReconcileEvent {
  readonly key: ObjectKey;
  readonly outcome: Outcome['kind'];
  /** Time that it took, in milliseconds. */
  readonly durationMs: number;
}

/** Options of {@link createController}. */
export interface ControllerOptions {
  /** Its field manager owns the fields that are applied. */
  readonly client: KubeClient;
  /** Image of Agents that name none. */
  readonly agentImage: string;
  /** Namespaces that are looked at. Default: all. */
  readonly namespaces?: readonly string[] | undefined;
  /**
   * Runs the work while this instance leads: `(work, signal) => runAsLeader({ ..., onLeading: work }, signal)`. Watching goes
   * on all the time, so that whoever takes over knows the world already. Default: it always leads.
   */
  readonly lead?:
    | ((work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal) => Promise<void>)
    | undefined;
  /** Lists the tools of servers with `publishTools`. Default: nobody does, which they say. */
  readonly listTools?: ListTools | undefined;
  /** Reads the metadata of TokenServices. Default: the global `fetch`. */
  readonly fetch?: FetchLike | undefined;
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** How many objects are reconciled at the same time. Default: 8. */
  readonly concurrency?: number | undefined;
  /** Name of this instance in events. Default: `onbehalf-controller`. */
  readonly instance?: string | undefined;
  readonly observer?: ControllerObserver | undefined;
}

/** How much has been done, and how much there is to do. */
export interface ControllerStats {
  /** Whether everything is known that has to be. */
  readonly synced: boolean;
  /** Whether reconciles run. */
  readonly leading: boolean;
  readonly queue: WorkQueueSizes;
  /** Looks at STSs and servers, which are made beside the queue. */
  readonly looks: LookPoolSizes;
  /** Reconciles by how they ended. */
  readonly reconciles: Readonly<Record<Outcome['kind'], number>>;
  readonly writes: Writes;
  /** Objects that are kept in memory. */
  readonly objects: number;
  /** Pairs of an object and one that depends on it. */
  readonly dependencies: number;
}

/** A controller of Agents, RemoteMCPServers, ModelConfigs and TokenServices. */
export interface Controller {
  /** Works until `signal` aborts; resolves when the reconciles that ran by then have ended. Call it once. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Resolves when everything is known that has to be; rejects when `run` is ended before. */
  readonly ready: Promise<void>;
  readonly stats: () => ControllerStats;
}

/**
 * Makes a controller, which does nothing until `run`. Two at the same time do no harm, but do everything twice: see
 * `lead`.
 *
 * @throws TypeError that names the option which is wrong
 */
export function createController(options: ControllerOptions): Controller {
  checkControllerOptions(options);
  const { now = Date.now, namespaces, concurrency = 8, lead = (work, signal) => work(signal) } = options;
  const tell = tellerOf(options.observer ?? {});
  const { client, writes } = countedClient(options.client);
  const index = createDependencyIndex();
  const reconciles = { done: 0, again: 0, waits: 0, failed: 0 };
  let synced = false;
  let queue: WorkQueue | undefined;

  const world = createWorld({
    ...{ client, namespaces, now },
    onChange: (change) => {
      if (queue) triggeredBy(change, index).forEach(queue.add);
    },
    onError: (error, kind) => tell.error(error, `watch ${kind}`),
  });
  const pool = createLookPool();
  const enqueue = (key: string): void => queue?.add(key);
  const parts: Parts = { client, world, index, now, pool, enqueue, onError: tell.error };
  const reconcilers = reconcilersOf(options, parts);

  const handle = async (text: string, signal: AbortSignal): Promise<Handled> => {
    const key = keyOfText(text);
    const began = performance.now();
    const outcome = await outcomeOf(reconcilers[key.kind as Kind], key, signal);
    // What is broken off has not ended in any way.
    if (signal.aborted) return undefined;
    reconciles[outcome.kind] += 1;
    tell.reconciled({ key, outcome: outcome.kind, durationMs: performance.now() - began });
    return handledOf(outcome);
  };

  /** All objects first: what has changed while somebody else led is not known. */
  const work = async (signal: AbortSignal): Promise<void> => {
    const onError = (key: string, error: unknown): void => tell.error(error, `reconcile ${key}`);
    const started = createWorkQueue({ concurrency, handle, onError });
    queue = started;
    for (const key of world.keys()) started.add(keyText(key));
    await started.run(signal);
    queue = undefined;
  };

  const ready = world.synced.then(() => {
    synced = true;
  });
  // Whoever runs it learns of that from `run`.
  ready.catch(() => {});

  return {
    ready,
    async run(signal) {
      const ended = new AbortController();
      const watching = world.run(AbortSignal.any([signal, ended.signal]));
      try {
        // Before, what is not known yet would look as if it were not there.
        await ready.then(
          () => lead(work, signal),
          () => undefined,
        );
      } finally {
        ended.abort();
        await watching;
      }
    },
    stats: () => ({
      ...{ synced, leading: queue !== undefined, queue: queue?.sizes() ?? NO_KEYS, looks: pool.sizes() },
      ...{ reconciles: { ...reconciles }, writes: { ...writes } },
      ...{ objects: world.size(), dependencies: index.size() },
    }),
  };
}

const NO_KEYS: WorkQueueSizes = { waiting: 0, active: 0, delayed: 0, failing: 0 };

function checkControllerOptions(options: ControllerOptions): void {
  checkOptions(options, 'createController()', {
    client: 'object',
    agentImage: 'text',
    namespaces: 'object?',
    lead: 'function?',
    listTools: 'function?',
    fetch: 'function?',
    now: 'function?',
    concurrency: 'positive?',
    instance: 'text?',
    observer: 'object?',
  });
}

type Parts = Omit<ReconcileContext, 'events' | 'texts' | 'agentImage' | 'listTools' | 'fetch'>;

function reconcilersOf(options: ControllerOptions, parts: Parts): Readonly<Record<Kind, Reconcile>> {
  const { agentImage, listTools, fetch = globalFetch, instance = 'onbehalf-controller' } = options;
  const { client, world, now } = parts;
  const onError = (error: unknown): void => parts.onError(error, 'event');
  const events = createEventRecorder({ client, instance, now, onError });
  const texts = createTexts(client, world);
  const context: ReconcileContext = { ...parts, events, texts, agentImage, listTools, fetch };
  return {
    Agent: agentReconciler(context),
    ModelConfig: modelConfigReconciler(context),
    RemoteMCPServer: remoteMcpServerReconciler(context),
    TokenService: tokenServiceReconciler(context),
  };
}

const globalFetch: FetchLike = (url, init) => fetch(url, init);

async function outcomeOf(reconcile: Reconcile, key: ObjectKey, signal: AbortSignal): Promise<Outcome> {
  try {
    return await reconcile(key, signal);
  } catch (error) {
    return { kind: 'failed', error };
  }
}

interface Teller {
  readonly error: (error: unknown, place: string) => void;
  readonly reconciled: (event: ReconcileEvent) => void;
}

/** Whoever only listens must not break what he listens to. */
function tellerOf({ onError, onReconcile }: ControllerObserver): Teller {
  const quietly = (call: () => void): void => {
    try {
      call();
    } catch {
      // Nobody is left to tell.
    }
  };
  return {
    error: (error, place) => quietly(() => onError?.(error, place)),
    reconciled: (event) => quietly(() => onReconcile?.(event)),
  };
}
