import type { AgentCard } from '@a2a-js/sdk';
import { InMemorySessionService } from '@google/adk';
import { redact } from '../core/redact.ts';
import { type AdminServer, startAdminServer } from './admin-server.ts';
import { type AgentMetrics, createAgentMetrics } from './agent-metrics.ts';
import { type Contexts, createContexts } from './contexts.ts';
import { createGeneration, type Shared } from './generation.ts';
import { createGenerations, type Generations } from './generations.ts';
import { CARD_PATH, type Listening, listen } from './http-server.ts';
import { createJsonRpc } from './json-rpc.ts';
import { type AgentFolder, loadAgentFolder } from './load-config.ts';
import { createAgentMemory } from './memory-service.ts';
import { createRateLimit } from './rate-limit.ts';
import { createReadiness, type Readiness } from './readiness.ts';
import { createReloader } from './reload.ts';
import { createRequestHandler } from './request-handler.ts';
import { createTaskStore, type OwnedTaskStore } from './task-store.ts';
import { createTurns } from './turns.ts';
import type { AgentServer, AgentServerOptions } from './types.ts';

const MAX_TASKS = 10_000;
/** Of one user at the same time. */
const MAX_RUNS = 32;
const MAX_BODY_BYTES = 1_048_576;
const MAX_REQUESTS_PER_MINUTE = 600;
const RELOAD_INTERVAL_MS = 5_000;
/** How long what was stopped may take to say so. */
const LAST_WORDS_MS = 1_000;

/** Assembles the agent of a folder and serves it; see `startAgentServer`. */
export async function serve(folder: AgentFolder, options: AgentServerOptions): Promise<AgentServer> {
  const { host = '127.0.0.1', port = 8080, adminPort, environment = process.env } = options;
  const http = await listen(host, port);
  let admin: AdminServer | undefined;
  let parts: Parts | undefined;
  try {
    parts = await createParts(folder, http.url, { ...options, environment });
    const { appName, generations, contexts, metrics, readiness, reloader } = parts;
    let stopping = false;
    const sizes = (): Parameters<AgentMetrics['text']>[0] => ({
      ...{ runs: generations.size, contexts: contexts.size, tokens: generations.tokens },
      ready: !stopping && readiness.waitingFor().length === 0,
    });
    if (adminPort !== undefined) {
      admin = await startAdminServer({ host, port: adminPort }, { metrics: () => metrics.text(sizes()) });
    }
    const stop = open(http, parts, { options, isStopping: () => stopping });
    let closing: Promise<void> | undefined;
    const close = async (): Promise<void> => {
      stopping = true;
      reloader.stop();
      readiness.stop();
      await stop();
      await admin?.close();
    };
    return {
      url: http.url,
      cardUrl: `${http.url}${CARD_PATH}`,
      name: appName,
      adminUrl: admin?.url,
      reload: () => reloader.reload(),
      close: () => {
        closing ??= close();
        return closing;
      },
    };
  } catch (error) {
    parts?.reloader.stop();
    parts?.readiness.stop();
    await Promise.all([http.stop(), parts?.generations.close()]);
    throw error;
  }
}

interface Parts {
  readonly appName: string;
  readonly generations: Generations;
  readonly contexts: Contexts;
  readonly tasks: OwnedTaskStore;
  readonly shared: Shared;
  readonly metrics: AgentMetrics;
  readonly readiness: Readiness;
  readonly reloader: ReturnType<typeof createReloader>;
}

async function createParts(folder: AgentFolder, url: string, options: AgentServerOptions): Promise<Parts> {
  const { environment = {}, onError, onWarning } = options;
  const appName = folder.config.name ?? folder.card.name;
  const sessions = new InMemorySessionService();
  const tasks = createTaskStore(MAX_TASKS);
  let generations: Generations | undefined;
  const dropSession = (sessionId: string, userId: string): void => {
    void sessions.deleteSession({ appName, userId, sessionId });
    generations?.dropContext(sessionId, userId);
  };
  const contexts = createContexts(options, {
    onForgotten(id, owner) {
      tasks.dropContext(id);
      dropSession(id, owner);
    },
    // Its tasks can still be asked for.
    onClosed: dropSession,
  });
  const metrics = createAgentMetrics(options.observer);
  const shared: Shared = {
    ...{ sessions, appName, contexts, turns: createTurns(MAX_RUNS), environment, url, onError },
    ...{ observer: metrics.observer, memory: createAgentMemory() },
  };
  const first = await createGeneration(folder, shared);
  generations = createGenerations(first, metrics.ended);
  const { swap } = generations;
  const warn = (warnings: readonly string[]): void => {
    for (const one of warnings) onWarning?.(one);
  };
  warn(first.warnings);
  const readiness = createReadiness((issuer, error) => {
    const why = error instanceof Error ? redact(error.message) : 'they cannot be read';
    warn([`the keys of the issuer ${issuer} cannot be had, which is tried again: ${why}`]);
  });
  readiness.prepare(first.issuers);
  const reloader = createReloader({
    first: folder,
    load: () => loadAgentFolder(options.folder, environment),
    async apply(next) {
      const generation = await createGeneration(next, shared);
      swap(generation);
      // Whoever takes it out of the config means what was kept, too.
      if (!next.config.memory) shared.memory.clear();
      readiness.prepare(generation.issuers);
      metrics.reloaded('reloaded');
      warn(['the files have changed: new runs go by them', ...generation.warnings]);
    },
    intervalMs: options.reloadIntervalMs ?? RELOAD_INTERVAL_MS,
    onRefused(error) {
      metrics.reloaded('refused');
      const why = error instanceof Error ? error.message : 'they cannot be read';
      warn([`the files have changed and are refused, so the agent goes on as it is: ${why}`]);
    },
  });
  return { ...{ appName, generations, contexts, tasks, shared, metrics, readiness, reloader } };
}

interface Opening {
  readonly options: AgentServerOptions;
  readonly isStopping: () => boolean;
}

/** Answers requests from now on. @returns how to stop: runs under way may end for a while */
function open(http: Listening, parts: Parts, { options, isStopping }: Opening): () => Promise<void> {
  const { generations, contexts, tasks, shared, metrics, readiness } = parts;
  const { graceMs = 20_000, maxRequestsPerMinute = MAX_REQUESTS_PER_MINUTE } = options;
  const limit = createRateLimit(maxRequestsPerMinute);
  const card = (): AgentCard => generations.current.card;
  const handler = createRequestHandler({
    ...{ card: latest(card), tasks, contexts, turns: shared.turns, executor: generations },
  });
  http.serve({
    card,
    resource: () => generations.current.resource,
    door: (request) => generations.current.door(request),
    jsonRpc: createJsonRpc(handler, MAX_BODY_BYTES),
    waitOf: ({ isAuthenticated, userName }, { socket }) =>
      limit.take(isAuthenticated ? userName : `address ${socket.remoteAddress}`),
    onAnswer: metrics.answered,
    isStopping,
    waitingFor: readiness.waitingFor,
  });
  return async () => {
    const stopped = http.stop();
    await generations.idle(graceMs);
    generations.stopAll();
    await generations.idle(LAST_WORDS_MS);
    await generations.close();
    await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS).unref())]);
    http.cut();
    await stopped;
  };
}

/** A card that is always the newest: the SDK takes one for as long as it lives. */
function latest(card: () => AgentCard): AgentCard {
  return new Proxy(card(), { get: (_target, member) => Reflect.get(card(), member) });
}
