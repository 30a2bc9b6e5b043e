import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { installed } from '../support/installed.ts';
import { serverMissing } from '../support/missing.ts';
import { node24 } from '../support/node-24.ts';

/** Where the frameworks are, and the Node that they are run on. */
export interface Frameworks {
  /** Folder with the `node_modules` that has them. */
  readonly folder: string;
  /** Path of a Node 24: some need Node 22 or later. */
  readonly node: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** `undefined` where they cannot be had. */
    frameworks: Frameworks | undefined;
  }
}

/** Of what npm says, the first lines tell why. */
const REASON_LINES = 3;

/** Installs the frameworks. The tests run the examples with them. */
export async function setup(project: TestProject): Promise<void> {
  try {
    const folder = await installed('clients', fileURLToPath(new URL('.', import.meta.url)));
    project.provide('frameworks', { folder, node: await node24() });
  } catch (error) {
    const said = (error instanceof Error ? error.message : String(error)).trim().split('\n');
    serverMissing('the MCP clients', said.slice(0, REASON_LINES).join(' '));
    project.provide('frameworks', undefined);
  }
}
