import type { Agent } from '../api/agent.ts';
import { RESOURCES } from '../client/resources.ts';
import type { KubeClient } from '../client/types.ts';
import { LARGEST } from '../compile/compile-agent.ts';
import type { World } from './world.ts';

/** Texts of ConfigMaps that are instructions: the only values that are read, and only where an Agent says so. */
export interface Texts {
  /** Reads what the compilation of the agent will ask for, unless it is known. @throws KubeError */
  readonly prepare: (agent: Agent, signal: AbortSignal) => Promise<void>;
  /** `undefined`: it is not there, or is not the instruction of an agent. */
  readonly text: (namespace: string, name: string, key: string) => string | undefined;
  /** The agent is gone. */
  readonly forget: (agent: string) => void;
}

/** A text; of one that no config can hold, only how long it is. */
type Text = string | number;

interface Known {
  readonly version: string;
  readonly text: Text | undefined;
  readonly users: Set<string>;
}

/** @param world - tells whether a ConfigMap has changed */
export function createTexts(client: Pick<KubeClient, 'get'>, world: World): Texts {
  const known = new Map<string, Known>();
  const used = new Map<string, string>();

  const forget = (agent: string): void => {
    const id = used.get(agent);
    used.delete(agent);
    const users = id === undefined ? undefined : known.get(id)?.users;
    users?.delete(agent);
    if (id !== undefined && users?.size === 0) known.delete(id);
  };

  return {
    async prepare(agent, signal) {
      const { name: agentName, namespace = '' } = agent.metadata;
      const agentId = `${namespace}/${agentName}`;
      const source = agent.spec.declarative?.systemMessageFrom;
      if (source?.type !== 'ConfigMap') return forget(agentId);
      const { name, key } = source;
      const id = idOf(namespace, name, key);
      if (used.get(agentId) !== id) forget(agentId);
      const version = world.data('ConfigMap', namespace, name)?.version ?? '';
      const old = known.get(id);
      const text =
        old?.version === version
          ? old.text
          : textOf((await client.get(RESOURCES.ConfigMap, { namespace, name }, signal))?.data, key);
      used.set(agentId, id);
      known.set(id, { version, text, users: (known.get(id)?.users ?? new Set()).add(agentId) });
    },
    text(namespace, name, key) {
      const text = known.get(idOf(namespace, name, key))?.text;
      // Of that length, so that the compilation says that it is too long; what it holds does not matter then.
      return typeof text === 'number' ? ' '.repeat(text) : text;
    },
    forget,
  };
}

const idOf = (namespace: string, name: string, key: string): string => `${namespace}/${name}/${key}`;

function textOf(data: unknown, key: string): Text | undefined {
  if (typeof data !== 'object' || data === null || !Object.hasOwn(data, key)) return undefined;
  const text = (data as Record<string, unknown>)[key];
  if (typeof text !== 'string') return undefined;
  return text.length > LARGEST ? text.length : text;
}
