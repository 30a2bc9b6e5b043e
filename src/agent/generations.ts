import type { AgentExecutionEvent, ExecutionEventBus } from '@a2a-js/sdk/server';
import type { Executor } from './executor.ts';
import type { Generation } from './generation.ts';

/** The generation that new requests meet, and those before it whose runs have not ended. It runs the agent for A2A. */
export interface Generations extends Executor {
  readonly current: Generation;
  /** Tokens that are kept. */
  readonly tokens: number;
  /** New runs begin in this one from now on; the one before is closed when its last run has ended. */
  swap(next: Generation): void;
  /** Forgets what a user's conversation was at other agents. */
  dropContext(id: string, owner: string): void;
  /** Closes MCP sessions, and forgets every token. */
  close(): Promise<void>;
}

/** The longest wait that Node's timers know. */
const VERY_LONG_MS = 2 ** 31 - 1;

/** @param onEnd - told the state in which each run has left its task */
export function createGenerations(first: Generation, onEnd: (state: string) => void): Generations {
  let current = first;
  /** Those that may still have runs. */
  const alive = new Set([first]);
  const retire = async (old: Generation): Promise<void> => {
    await old.executor.idle(VERY_LONG_MS);
    await old.agent.close();
    alive.delete(old);
  };
  return {
    get current() {
      return current;
    },
    get tokens() {
      return [...alive].reduce((sum, { agent }) => sum + agent.tokens(), 0);
    },
    swap(next) {
      const old = current;
      alive.add(next);
      current = next;
      void retire(old);
    },
    dropContext(id, owner) {
      for (const { agent } of alive) agent.dropContext(id, owner);
    },
    execute: (context, bus) => current.executor.execute(context, watched(bus, onEnd)),
    async cancelTask(taskId, bus) {
      for (const { executor } of alive) await executor.cancelTask(taskId, bus);
    },
    get size() {
      return [...alive].reduce((sum, { executor }) => sum + executor.size, 0);
    },
    async idle(withinMs) {
      await Promise.all([...alive].map(({ executor }) => executor.idle(withinMs)));
    },
    stopAll() {
      for (const { executor } of alive) executor.stopAll();
    },
    async close() {
      await Promise.all([...alive].map(({ agent }) => agent.close()));
    },
  };
}

/** The bus, and whoever is told the last state on it. */
function watched(bus: ExecutionEventBus, onEnd: (state: string) => void): ExecutionEventBus {
  return Object.create(bus, {
    publish: {
      value: (event: AgentExecutionEvent) => {
        if (event.kind === 'status-update' && event.final) onEnd(event.status.state);
        bus.publish(event);
      },
    },
    finished: { value: () => bus.finished() },
  }) as ExecutionEventBus;
}
