import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { installed } from '../support/installed.ts';
import { serverMissing } from '../support/missing.ts';
import { node24 } from '../support/node-24.ts';

/** What others wrote, and the Node that it needs. */
export interface Judges {
  /** Folder with `node_modules`: the conformance runner and the reference server. */
  readonly folder: string;
  /** Path of a Node 24. */
  readonly node: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    judges: Judges | undefined;
  }
}

/** Installs the runner and the reference server. The tests start them. */
export async function setup(project: TestProject): Promise<void> {
  try {
    const folder = await installed('conformance', fileURLToPath(new URL('packages', import.meta.url)));
    project.provide('judges', { folder, node: await node24() });
  } catch (error) {
    // The first line says that npm failed, the second why.
    const lines = (error instanceof Error ? error.message : String(error)).trim().split('\n');
    serverMissing('the conformance runner', lines.slice(0, 2).join(' '));
    project.provide('judges', undefined);
  }
}
