import { AsyncLocalStorage, createHook } from 'node:async_hooks';

interface Resource {
  readonly type: string;
  readonly handle: WeakRef<object>;
}

/** Timers and sockets: what keeps a process alive, or a connection at somebody else's. */
const WATCHED: ReadonlySet<string> = new Set(['Timeout', 'TCPWRAP', 'TCPSERVERWRAP', 'PIPEWRAP']);

/** Watches what is opened by some work, and all that follows from it, and not by anything else in the process. */
export interface LeftOpen {
  watch<T>(work: () => Promise<T>): Promise<T>;
  /** Kinds of what is still open. */
  open(): readonly string[];
  stop(): void;
}

export function createLeftOpen(): LeftOpen {
  const inside = new AsyncLocalStorage<true>();
  const resources = new Map<number, Resource>();
  const hook = createHook({
    init(id, type, _trigger, handle) {
      if (WATCHED.has(type) && inside.getStore()) resources.set(id, { type, handle: new WeakRef(handle) });
    },
    destroy: (id) => void resources.delete(id),
  }).enable();
  return {
    watch: (work) => inside.run(true, work),
    open: () => [...resources.values()].filter(holds).map(({ type }) => type),
    stop: () => void hook.disable(),
  };
}

/** A timer that was unreferenced keeps nobody. */
function holds({ handle }: Resource): boolean {
  const value = handle.deref() as { hasRef?: () => boolean } | undefined;
  return value !== undefined && value.hasRef?.() !== false;
}
