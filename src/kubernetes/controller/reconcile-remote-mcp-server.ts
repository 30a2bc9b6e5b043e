import type { DiscoveredTool, RemoteMCPServer } from '../api/remote-mcp-server.ts';
import { recording } from '../compile/dependencies.ts';
import { parseObject } from '../compile/parse.ts';
import { type Finding, shortened } from './conditions.ts';
import { missingData, serverReferences } from './data-references.ts';
import { keyText } from './keys.ts';
import type { Outcome } from './outcome.ts';
import { createRechecks } from './rechecks.ts';
import type { Reconcile, ReconcileContext } from './reconciler.ts';
import { tokenServiceOf } from './server-readiness.ts';
import { writeStatus } from './status-writer.ts';
import { serverStatus } from './statuses.ts';

/** What the CRD has room for. */
const MOST_TOOLS = 1_000;
const LONGEST_NAME = 256;
const LONGEST_DESCRIPTION = 1_024;

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
  return async (key, signal) => {
    const id = keyText(key);
    const object = world.object('RemoteMCPServer', key.namespace, key.name);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      index.forget(id);
      list.forget(id);
      return { kind: 'done' };
    }
    const { lookUp, dependencies } = recording({ ...world, text: texts.text });
    const parsed = parseObject('RemoteMCPServer', object);
    const server = parsed.object;
    const service = server && tokenServiceOf(key, server, lookUp);
    const problems = server
      ? [...missingData(key, serverReferences(server.spec), lookUp), ...(service?.problems ?? [])]
      : parsed.problems;
    index.set(id, dependencies());
    const publishes = server?.spec.publishTools && problems.length === 0;
    const found = publishes ? await list.look(id, server, signal) : undefined;
    const ready = service?.notReady ?? found?.ready ?? READY;
    // What was found before is better than nothing while the server does not answer.
    const tools = server?.spec.publishTools ? (found?.tools ?? object.status?.discoveredTools) : undefined;
    const status = serverStatus({ object, problems, ready, now: now() }, tools);
    await writeStatus<'RemoteMCPServer'>(object, status, { ...context, signal });
    return outcomeOf(found?.nextMs, problems.length > 0);
  };
}

function outcomeOf(nextMs: number | undefined, hasProblems: boolean): Outcome {
  if (hasProblems) return { kind: 'waits' };
  return nextMs === undefined ? { kind: 'done' } : { kind: 'again', afterMs: nextMs };
}

interface Lister {
  readonly look: (
    id: string,
    server: RemoteMCPServer,
    signal: AbortSignal,
  ) => Promise<Listing & { readonly nextMs: number }>;
  readonly forget: (id: string) => void;
}

function createListing({ listTools, now }: ReconcileContext): Lister {
  const listings = createRechecks<Listing>({ now });
  return {
    async look(id, server, signal) {
      const { uid, generation } = server.metadata;
      const { value, nextMs } = await listings.look(id, `${uid}@${generation}`, async () => {
        const listing = await listOnce(server, listTools, signal);
        return { value: listing, ok: listing.ready.status === 'True' };
      });
      return { ...value, nextMs };
    },
    forget: listings.forget,
  };
}

async function listOnce(
  server: RemoteMCPServer,
  listTools: ReconcileContext['listTools'],
  signal: AbortSignal,
): Promise<Listing> {
  if (listTools === undefined) {
    const message = 'This controller does not list tools: set publishTools to false.';
    return { ready: { status: 'False', reason: 'DiscoveryFailed', message } };
  }
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
    : { name, description: description.slice(0, LONGEST_DESCRIPTION) };
}
