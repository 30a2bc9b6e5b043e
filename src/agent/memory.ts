import type { RuntimeConfig } from '../config/runtime-config.ts';
import type { AgentMemory, MemoryService } from './memory-service.ts';
import { MemoryToolset } from './memory-tools.ts';
import type { NamedToolset } from './unique-toolset.ts';

/** The memory of an agent as its config has it. */
export interface ConfiguredMemory {
  /** For ADK's runner; `undefined`: the agent has none. */
  readonly service: MemoryService | undefined;
  readonly toolsets: readonly NamedToolset[];
  readonly warnings: readonly string[];
}

const DEFAULT_TTL_DAYS = 15;
const DAY_MS = 86_400_000;

/** Makes the tools of `memory`, on a memory that outlives the config. */
export function configuredMemory(
  { memory: settings, authentication }: RuntimeConfig,
  memory: AgentMemory,
): ConfiguredMemory {
  if (!settings) return { service: undefined, toolsets: [], warnings: [] };
  const service = memory.service((settings.ttl_days || DEFAULT_TTL_DAYS) * DAY_MS);
  return {
    service,
    toolsets: [{ name: 'memory', toolset: new MemoryToolset(service) }],
    warnings: [
      'memory: is kept in this process, so it is gone when the process ends, and replicas do not share it',
      ...(authentication?.mode === 'anonymous'
        ? ['memory: nothing is kept and nothing found, because callers are anonymous']
        : []),
    ],
  };
}
