import type { ActorSource } from '../core/actor.ts';
import type { BreakerState } from '../core/breaker.ts';
import type { IssuedToken } from '../core/issued-token.ts';
import type { Target } from '../core/target.ts';
import type { TokenService } from '../core/token-service-handle.ts';
import type { Delegation, Retention } from './delegation.ts';
import type { BrokerObserver, StoreEvent } from './observer.ts';
import type { SharedStore } from './shared-store.ts';

/** Options of `createBroker`. All times in milliseconds. */
export interface BrokerOptions {
  /** Where tokens are exchanged, and as which client. */
  readonly tokenService: TokenService;
  /** Who acts; its token goes along as `actor_token`. Default: nobody, so tokens impersonate the subject. */
  readonly actor?: ActorSource | undefined;
  /** Default: `run`. */
  readonly retention?: Retention | undefined;
  /** Longest that a token is kept. Default: one hour. */
  readonly maxTtlMs?: number | undefined;
  /** How long before its end a token is no longer used; at most a quarter of its lifetime. Default: 10,000. */
  readonly marginMs?: number | undefined;
  /** Lifetime of a token for which nobody says one. Default: one minute. */
  readonly unknownTtlMs?: number | undefined;
  /** A run that nobody ends is over after this time. Default: one hour. */
  readonly maxRunMs?: number | undefined;
  /** Most tokens kept; the least recently used goes first. Default: 10,000. */
  readonly maxEntries?: number | undefined;
  /** Most runs under way at once. Default: 100,000. */
  readonly maxRuns?: number | undefined;
  /** Takes subject tokens that are not JWTs: their expiry and `sub` cannot be checked. Default: false. */
  readonly allowOpaqueSubject?: boolean | undefined;
  /** Separates the tokens of tenants that share a process. */
  readonly tenant?: string | undefined;
  /** Separates the tokens of successive configurations. */
  readonly generation?: string | undefined;
  /** Longest that a caller waits for a token, all tries included. Default: 30,000. */
  readonly deadlineMs?: number | undefined;
  /** How long a failure that does not pass is told again without asking the STS; 0 for not at all. Default: 5,000. */
  readonly refusalTtlMs?: number | undefined;
  /** Makes a token that is in use anew before it ends, so that nobody waits for it. Default: true. */
  readonly refreshAhead?: boolean | undefined;
  /** A store that replicas share; needs `retention: 'subject'`. Default: none, this process's memory alone. */
  readonly store?: SharedStore | undefined;
  /** Longest wait for the shared store before it is left alone for a while. Default: 250. */
  readonly storeTimeoutMs?: number | undefined;
  /** Hears of exchanges, look-ups and what is down; never of a token. What it throws is dropped. */
  readonly observer?: BrokerObserver | undefined;
  /** Clock, in milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** Who a run is for. */
export interface BeginOptions {
  /** The user's token as it came in, without `Bearer`. */
  readonly subjectToken: string | undefined;
  /** Token type identifier (RFC 8693 section 3). Default: access token. */
  readonly subjectTokenType?: string | undefined;
  /** Runs of one session and subject share tokens while they overlap. Default: this run shares with no other. */
  readonly session?: string | undefined;
}

/** Counters since the broker was made, and sizes as of now. */
export interface BrokerStats {
  /** Tokens kept. */
  readonly entries: number;
  /** Runs under way. */
  readonly delegations: number;
  /** Exchanges begun, whatever came of them. */
  readonly exchanges: number;
  /** Exchanges that failed. */
  readonly failures: number;
  /** Requests answered with a kept token. */
  readonly hits: number;
  /** Requests that joined an exchange under way. */
  readonly joined: number;
  /** Requests answered with a token that another replica had made. */
  readonly shared: number;
  /** Tokens made anew ahead of their end. */
  readonly refreshes: number;
  /** Requests answered with a failure that was remembered. */
  readonly refused: number;
  /** State of the shared store. */
  readonly store: StoreEvent['state'] | 'none';
  /** State of the STS's circuit breaker. */
  readonly breaker: BreakerState;
}

/** Turns a delegation and a target into a token. The only part that holds tokens. */
export interface Broker {
  /**
   * Begins a run for a subject. Nothing is exchanged.
   *
   * @throws OnbehalfError `subject_missing`, `subject_malformed`, `subject_expired` or `capacity_exceeded`
   */
  begin(options: BeginOptions): Delegation;
  /**
   * The token for a target: kept, joined while under way, or exchanged (RFC 8693).
   *
   * @throws OnbehalfError of any code but those of servers and toolsets; or the reason of `signal`
   */
  token(
    delegation: Delegation,
    target: Target | string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<IssuedToken>;
  /** The kept token for a target, read synchronously. Throws like `token` when the subject is no longer good. */
  peek(delegation: Delegation, target: Target | string): IssuedToken | undefined;
  /**
   * A way to read the kept token for a target later, as long as it is kept, even when the run has ended by then.
   * It never exchanges, and holds no token itself. For closing what was opened with that token.
   */
  reader(delegation: Delegation, target: Target | string): () => IssuedToken | undefined;
  /** Forgets a token that a server refused, if it is still the one that is kept. Works after the run has ended, too. */
  reject(delegation: Delegation, target: Target | string, accessToken: string): void;
  /** Whether a delegation is of this broker, and can still be used: its run lasts, its subject token has not expired. */
  status(delegation: Delegation): 'active' | 'ended' | 'unknown';
  /** Ends a run: under `run` retention, the last of a group clears its tokens. Ending twice does nothing. */
  end(delegation: Delegation): void;
  /** Calls back with a group's id when its last run has ended, just before its tokens go. Returns the way to stop. */
  onGroupEnd(listener: (group: string) => void): () => void;
  /** Counters and sizes as of now. */
  stats(): BrokerStats;
  /** Ends every run and forgets every token. */
  close(): void;
}
