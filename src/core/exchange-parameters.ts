import type { ResolvedTarget } from './target.ts';
import type { SecurityToken } from './token-types.ts';

/** What is exchanged, for what. */
export interface ExchangeParameters {
  /** On whose behalf. */
  readonly subject: SecurityToken;
  /** Who acts; default: nobody, so the issued token impersonates the subject. */
  readonly actor?: SecurityToken | undefined;
  /** What for; from `resolveTarget`. */
  readonly target: ResolvedTarget;
}
