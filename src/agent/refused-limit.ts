import { createHash } from 'node:crypto';
import { makeRoom } from '../core/bounded.ts';
import { createRateLimit } from './rate-limit.ts';

/** Bounds how often tokens of one address are verified for nothing. */
export interface RefusedLimit {
  /** @returns 0 when a token may be verified; else after how many seconds the next one may */
  wait(address: string, token: string): number;
  /** Counts a token that was refused. */
  refused(address: string): void;
  /** Notes a token that was good, which is always verified from then on: others may share its address, e.g. that of a proxy. */
  admitted(token: string): void;
}

const MOST_TOKENS = 10_000;

/** @param perMinute - refused tokens of one address */
export function createRefusedLimit(perMinute: number): RefusedLimit {
  const limit = createRateLimit(perMinute);
  /** In the order in which they were first seen. Not the tokens themselves. */
  const good = new Set<string>();
  return {
    wait(address, token) {
      const seconds = limit.wait(address);
      return seconds > 0 && good.has(digestOf(token)) ? 0 : seconds;
    },
    refused: (address) => void limit.take(address),
    admitted(token) {
      const digest = digestOf(token);
      if (good.has(digest)) return;
      makeRoom(good, MOST_TOKENS);
      good.add(digest);
    },
  };
}

const digestOf = (token: string): string => createHash('sha256').update(token).digest('base64url');
