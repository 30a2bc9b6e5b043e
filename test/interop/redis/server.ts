import type { TestProject } from 'vitest/node';
import { serverMissing } from '../support/missing.ts';
import { findRedis, type RedisBinary } from './binary.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The Redis server to start; `undefined` where none can be had. */
    redis: RedisBinary | undefined;
  }
}

/** Finds a Redis server. The tests start it, as several, as a cluster, and again. */
export async function setup(project: TestProject): Promise<void> {
  try {
    project.provide('redis', await findRedis());
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).trim().split('\n');
    serverMissing('Redis', reason);
    project.provide('redis', undefined);
  }
}
