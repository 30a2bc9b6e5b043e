import { afterAll, beforeAll } from 'vitest';
import { type Ended, runProgram } from './program.ts';
import type { Frameworks } from './server.ts';
import { makeWorkspace, type Workspace } from './workspace.ts';

/** What a program is run with. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds, after which it is killed. */
  readonly timeout: number;
}

/** Runs a program of the workspace, by its path there, or at another place. */
export type RunInWorkspace = (args: readonly string[], options: RunOptions) => Promise<Ended>;

/** What some frameworks would else send over the network. */
const QUIET = { MASTRA_TELEMETRY_DISABLED: '1', OPENAI_AGENTS_DISABLE_TRACING: '1' };

/** A workspace for all tests of a file, and a way to run its programs by Node 24. */
export function useWorkspace(frameworks: Frameworks | undefined): RunInWorkspace {
  let workspace: Workspace | undefined;
  beforeAll(async () => {
    if (frameworks) workspace = await makeWorkspace(frameworks);
  });
  afterAll(() => workspace?.remove());
  return (args, { env, timeout }) => {
    if (!frameworks || !workspace) throw new Error('there is no workspace');
    return runProgram(frameworks.node, args, { cwd: workspace.folder, env: { ...QUIET, ...env }, timeout });
  };
}
