/** Everything that this process says while somebody listens: to the console, to its streams, as warnings. */
export interface Overheard {
  readonly said: readonly unknown[];
  /** Failures that nobody took care of. */
  readonly unhandled: readonly unknown[];
  stop(): void;
}

const METHODS = ['debug', 'error', 'info', 'log', 'trace', 'warn'] as const;

export function overhear(): Overheard {
  const said: unknown[] = [];
  const unhandled: unknown[] = [];
  const undo: (() => void)[] = [];
  const replace = <T extends object, K extends keyof T>(owner: T, name: K, value: T[K]): void => {
    const before = owner[name];
    owner[name] = value;
    undo.push(() => {
      owner[name] = before;
    });
  };
  const note = (...values: unknown[]): void => void said.push(...values);
  for (const method of METHODS) replace(console, method, note);
  for (const stream of [process.stdout, process.stderr]) {
    replace(stream, 'write', ((chunk: unknown) => {
      note(typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString());
      return true;
    }) as typeof stream.write);
  }
  process.on('warning', note);
  // In place of the test runner, which cannot tell whose it was.
  const before = process.rawListeners('unhandledRejection') as NodeJS.UnhandledRejectionListener[];
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (reason) => void unhandled.push(reason));
  undo.push(() => {
    process.off('warning', note).removeAllListeners('unhandledRejection');
    for (const listener of before) process.on('unhandledRejection', listener);
  });
  return {
    said,
    unhandled,
    stop() {
      for (const each of undo) each();
    },
  };
}
