import type { KoaContextWithOIDC } from 'oidc-provider';
import type { LyingFault } from './faults.ts';

/** What the layer in front of the token endpoint and the grant tell each other about one request. */
export interface Attempt {
  /** To be told by the grant. */
  readonly lie?: LyingFault;
  /** Found out by the grant. */
  sub?: string;
  act?: string;
}

const attempts = new WeakMap<object, Attempt>();

export function attachAttempt(ctx: KoaContextWithOIDC, attempt: Attempt): void {
  attempts.set(ctx, attempt);
}

export function attemptOf(ctx: KoaContextWithOIDC): Attempt | undefined {
  return attempts.get(ctx);
}
