import { fileURLToPath } from 'node:url';
import type { ViteUserConfig } from 'vitest/config';

/**
 * Configuration of one interop suite: its tests are `test/interop/SUITE/*.interop.ts`, and `server.ts` beside them is
 * the global setup that starts the real server and stops it.
 */
export function interopConfig(suite: string): ViteUserConfig {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  return {
    test: {
      root,
      include: [`test/interop/${suite}/*.interop.ts`],
      globalSetup: [`test/interop/${suite}/server.ts`],
      testTimeout: 30_000,
      hookTimeout: 30_000,
      // One server for all files: what one file does to it, another must not meet half-way.
      fileParallelism: false,
    },
  };
}
