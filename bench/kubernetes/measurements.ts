export const AGENTS = 1000;
export const SERVERS = 200;
/** Servers that each agent uses. */
export const TOOLS = 4;

/** Writes by resource. */
export type WriteCounts = Readonly<Record<string, number>>;

/** What `measured/main.ts` prints. */
export interface Measurements {
  /** From the start of the process to its last work. */
  readonly convergeMs: number;
  readonly convergeWrites: WriteCounts;
  /** What had not converged. */
  readonly problems: readonly string[];
  readonly peakBytes: number;
  /** In a minute without a change. */
  readonly steadyWrites: WriteCounts;
  readonly steadyReconciles: number;
  /** After one server got another audience. */
  readonly changeWrites: WriteCounts;
  readonly changeReconciles: number;
  /** Of a second process, when all is there. */
  readonly restartMs: number;
  readonly restartWrites: WriteCounts;
}
