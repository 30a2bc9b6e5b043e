import type { AgentCard } from '@a2a-js/sdk';
import type { InMemorySessionService } from '@google/adk';
import type { BrokerObserver } from '../broker/observer.ts';
import type { AuthenticationConfig } from '../config/runtime-config.ts';
import { completeCard } from './agent-card.ts';
import { type AssembledAgent, assemble } from './assemble.ts';
import type { Contexts } from './contexts.ts';
import { createDoor, createVerifier, type Door } from './door.ts';
import { createExecutor, type Executor } from './executor.ts';
import { RESOURCE_PATH } from './http-server.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import type { AgentFolder } from './load-config.ts';
import type { AgentMemory } from './memory-service.ts';
import { ownOriginOnly } from './own-origin.ts';
import type { Environment } from './token-services.ts';
import type { Turns } from './turns.ts';

/** The agent as one reading of its folder has it: runs that began in it end in it. */
export interface Generation {
  readonly agent: AssembledAgent;
  readonly executor: Executor;
  readonly card: AgentCard;
  /** Protected resource metadata (RFC 9728), where callers need a token. */
  readonly resource: object | undefined;
  readonly door: Door;
  /** Whose keys have to be had, so that tokens can be verified. */
  readonly issuers: readonly IssuerKeys[];
  readonly warnings: readonly string[];
}

/** What all generations have in common. */
export interface Shared {
  /** Conversations go on in the next generation, under the name of the first. */
  readonly sessions: InMemorySessionService;
  readonly appName: string;
  readonly contexts: Contexts;
  readonly turns: Turns;
  /** What is kept for users, also by the next generation. */
  readonly memory: AgentMemory;
  readonly environment: Environment;
  /** Where the server listens. */
  readonly url: string;
  readonly observer: BrokerObserver;
  readonly onError: ((error: unknown) => void) | undefined;
}

/**
 * Assembles an agent, ready for runs. Nothing is sent.
 *
 * @throws TypeError or OnbehalfError that names the field of the config
 */
export async function createGeneration(folder: AgentFolder, shared: Shared): Promise<Generation> {
  const { config, card: file } = folder;
  const { contexts, turns, onError } = shared;
  const mode = config.authentication?.mode ?? 'jwt';
  const verifier = createVerifier(config);
  const agent = await assemble(config, shared);
  const { runner, endRun } = agent;
  const card = completeCard(file, shared.url, mode);
  const resource = resourceOf(card.url, config.authentication);
  const resourceMetadata = resource && new URL(RESOURCE_PATH, card.url).href;
  const door = createDoor({ verify: verifier?.verify, resourceMetadata, onError });
  return {
    ...{ agent, card, resource },
    executor: createExecutor({ runner, endRun, contexts, turns, stream: config.stream }),
    door: mode === 'anonymous' ? ownOriginOnly(door, shared.url, card.url) : door,
    issuers: verifier?.issuers ?? [],
    warnings: [...folder.warnings, ...agent.warnings, ...loud(mode)],
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
