/** How a command talks to the world. Only `main.ts` connects it to the process. */
export interface CliIo {
  /** Writes to standard output, verbatim. */
  out(text: string): void;
  /** Writes to standard error, verbatim. */
  err(text: string): void;
  /** All of standard input, for commands that read `-`. */
  input?(): Promise<string>;
  /** Resolves when the user wants the command to end: SIGINT or SIGTERM. */
  interrupted(): Promise<void>;
}

/** One command: gets the arguments after its name, returns the exit code. */
export type Command = (argv: readonly string[], io: CliIo) => Promise<number>;

/** Exit codes: 1 when what was asked for failed, 2 when it was asked for in a wrong way. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;
