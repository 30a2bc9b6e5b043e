import type { DiscoveredTool, RemoteMCPServer } from '../api/remote-mcp-server.ts';
import { recording } from '../compile/dependencies.ts';
import { parseObject } from '../compile/parse.ts';
import type { ObjectKey } from '../compile/types.ts';
import { type Finding, shortened } from './conditions.ts';
import { missingData, serverReferences } from './data-references.ts';
import { keyText } from './keys.ts';
import { createLooks, type Known } from './looks.ts';
import type { ListTools, Reconcile, ReconcileContext } from './reconciler.ts';
import { clearTextProblems, isPending, tokenServiceOf } from './server-readiness.ts';
import { writeStatus } from './status-writer.ts';
import { serverStatus } from './statuses.ts';

/** What the CRD has room for. */
const MOST_TOOLS = 1_000;
const LONGEST_NAME = 256;
const LONGEST_DESCRIPTION = 1_024;

/** How long a new server waits for its TokenService, in milliseconds. */
const PATIENCE_MS = 10_000;

const READY: Finding = { status: 'True', reason: 'Ready', message: 'Agents can use it.' };

/** The tools that were found, or why they were not. */
interface Listing {
  readonly tools?: readonly DiscoveredTool[] | undefined;
  readonly ready: Finding;
}

/**
 * Makes the reconcile of RemoteMCPServers: the status says whether what it refers to is there, whether its TokenService is
 * ready, and, where that is wanted, which tools it has.
 */
export function remoteMcpServerReconciler(context: ReconcileContext): Reconcile {
  const { world, index, texts, now } = context;
  const list = createListing(context);
  /** Those whose TokenService was given time to be looked at first. */
  const patient = new Set<string>();
  return async (key, signal) => {
    const id = keyText(key);
    const object = world.object('RemoteMCPServer', key.namespace, key.name);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      index.forget(id);
      list.forget(key);
      patient.delete(id);
      return { kind: 'done' };
    }
    const { lookUp, dependencies } = recording({ ...world, text: texts.text });
    const parsed = parseObject('RemoteMCPServer', object);
    const server = parsed.object;
    const service = server && tokenServiceOf(key, server, lookUp);
    const problems = server
      ? [
          ...clearTextProblems(key, server),
          ...missingData(key, serverReferences(server.spec), lookUp),
          ...(service?.problems ?? []),
        ]
      : parsed.problems;
    index.set(id, dependencies());
    // Else each server that is there from the start would be told of twice.
    if (object.status === undefined && isPending(service?.notReady) && !patient.has(id)) {
      patient.add(id);
      return { kind: 'again', afterMs: PATIENCE_MS };
    }
    const publishes = server?.spec.publishTools && problems.length === 0;
    if (!publishes) list.forget(key);
    const found = publishes ? list.find(key, server, signal) : undefined;
    // Until the first look has ended there is nothing to tell; its end brings it back.
    if (found && found.value === undefined) return { kind: 'done' };
    const ready = service?.notReady ?? found?.value?.ready ?? READY;
    // What was found before is better than nothing while the server does not answer.
    const tools =
      server?.spec.publishTools && context.listTools
        ? (found?.value?.tools ?? object.status?.discoveredTools)
        : undefined;
    const status = serverStatus({ object, problems, ready, now: now() }, tools);
    await writeStatus<'RemoteMCPServer'>(object, status, { ...context, signal });
    if (problems.length > 0) return { kind: 'waits' };
    return found?.nextMs === undefined ? { kind: 'done' } : { kind: 'again', afterMs: found.nextMs };
  };
}

interface Lister {
  readonly find: (key: ObjectKey, server: RemoteMCPServer, signal: AbortSignal) => Known<Listing>;
  readonly forget: (key: ObjectKey) => void;
}

function createListing({ listTools, now, pool, enqueue, onError }: ReconcileContext): Lister {
  const listings = createLooks<Listing>({ pool, now, onEnd: enqueue, onError });
  return {
    find(key, server, signal) {
      if (listTools === undefined) return { value: NO_LISTER, nextMs: undefined };
      const { uid, generation } = server.metadata;
      return listings.find(key, {
        version: `${uid}@${generation}`,
        async look(until) {
          const listing = await listOnce(server, listTools, until);
          return { value: listing, ok: listing.ready.status === 'True' };
        },
        signal,
      });
    },
    forget: listings.forget,
  };
}

const NO_LISTER: Listing = {
  ready: {
    ...READY,
    message: `${READY.message} This controller lists no tools: start it with --publish-tools, or set publishTools to false.`,
  },
};

async function listOnce(
  server: RemoteMCPServer,
  listTools: ListTools,
  signal: AbortSignal,
): Promise<Listing> {
  try {
    const tools = (await listTools(server, signal)).filter(({ name }) => fits(name));
    const ready = { ...READY, message: `Agents can use it. It has ${tools.length} tools.` };
    return { ready, tools: tools.map(published).sort(byName).slice(0, MOST_TOOLS) };
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    return { ready: { status: 'False', reason: 'DiscoveryFailed', message: shortened(why) } };
  }
}

const fits = (name: string): boolean => name !== '' && name.length <= LONGEST_NAME && !/\p{Cc}/u.test(name);

/** The same tools in another order are no change. */
function byName(one: DiscoveredTool, other: DiscoveredTool): number {
  return one.name < other.name ? -1 : 1;
}

function published({ name, description }: DiscoveredTool): DiscoveredTool {
  return description === undefined
    ? { name }
    : { name, description: copied(description.slice(0, LONGEST_DESCRIPTION)) };
}

/** A part of a text keeps the whole of it in memory. */
function copied(text: string): string {
  return Buffer.from(text).toString();
}
