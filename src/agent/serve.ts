import type { AuthenticationConfig } from '../config/runtime-config.ts';
import { completeCard } from './agent-card.ts';
import { assemble } from './assemble.ts';
import { createContexts } from './contexts.ts';
import { createDoor, createVerifier } from './door.ts';
import { createExecutor } from './executor.ts';
import { CARD_PATH, listen, RESOURCE_PATH } from './http-server.ts';
import { createJsonRpc } from './json-rpc.ts';
import type { AgentFolder } from './load-config.ts';
import { createRequestHandler } from './request-handler.ts';
import { createTaskStore } from './task-store.ts';
import { createTurns } from './turns.ts';
import type { AgentServer, AgentServerOptions } from './types.ts';

const MAX_TASKS = 10_000;
/** Of one user at the same time. */
const MAX_RUNS = 32;
const MAX_BODY_BYTES = 1_048_576;
/** How long what was stopped may take to say so. */
const LAST_WORDS_MS = 1_000;

/** Assembles the agent of a folder and serves it; see `startAgentServer`. */
export async function serve(folder: AgentFolder, options: AgentServerOptions): Promise<AgentServer> {
  const { host = '127.0.0.1', port = 8080, graceMs = 20_000, onWarning, onError } = options;
  const { config, card: cardFile } = folder;
  const mode = config.authentication?.mode ?? 'jwt';
  const verify = createVerifier(config);
  const agent = await assemble(config, cardFile.name, options.environment ?? process.env);
  const http = await listen(host, port).catch(async (error: unknown) => {
    await agent.close();
    throw error;
  });

  const tasks = createTaskStore(MAX_TASKS);
  const { appName } = agent.runner;
  const dropSession = (sessionId: string, userId: string): void => {
    void agent.sessions.deleteSession({ appName, userId, sessionId });
  };
  const contexts = createContexts(options, {
    onForgotten(id, owner) {
      tasks.dropContext(id);
      dropSession(id, owner);
    },
    // Its tasks can still be asked for.
    onClosed: dropSession,
  });
  const turns = createTurns(MAX_RUNS);
  const { runner, endRun } = agent;
  const executor = createExecutor({ runner, endRun, contexts, turns, stream: config.stream });
  const card = completeCard(cardFile, http.url, mode);
  const handler = createRequestHandler({ card, tasks, contexts, turns, executor });
  const resource = resourceOf(card.url, config.authentication);
  let ready = true;
  http.serve({
    card,
    resource,
    door: createDoor({
      verify,
      resourceMetadata: resource && new URL(RESOURCE_PATH, card.url).href,
      onError,
    }),
    jsonRpc: createJsonRpc(handler, MAX_BODY_BYTES),
    isReady: () => ready,
  });
  for (const warning of [...folder.warnings, ...agent.warnings, ...loud(mode)]) onWarning?.(warning);

  const close = async (): Promise<void> => {
    ready = false;
    const stopped = http.stop();
    await executor.idle(graceMs);
    executor.stopAll();
    await executor.idle(LAST_WORDS_MS);
    await agent.close();
    await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS).unref())]);
    http.cut();
    await stopped;
  };
  let closing: Promise<void> | undefined;
  return {
    url: http.url,
    cardUrl: `${http.url}${CARD_PATH}`,
    name: appName,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** Whose tokens are taken, for clients that look for a way in (RFC 9728 section 2). */
function resourceOf(url: string, authentication: AuthenticationConfig | undefined): object | undefined {
  if (authentication?.mode !== 'jwt') return undefined;
  return {
    resource: url,
    authorization_servers: authentication.issuers?.map(({ issuer }) => issuer),
    bearer_methods_supported: ['header'],
  };
}

function loud(mode: AuthenticationConfig['mode']): readonly string[] {
  const says = 'authentication.mode is';
  if (mode === 'anonymous') {
    return [
      `${says} "anonymous": whoever reaches this server can use the agent, and all callers are one user`,
    ];
  }
  if (mode !== 'trusted_proxy') return [];
  return [
    `${says} "trusted_proxy": tokens are not verified here, so nothing but that proxy must reach this server`,
  ];
}
