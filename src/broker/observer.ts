import type { BreakerState } from '../core/breaker.ts';
import type { ErrorCode, FailureClass } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';

/** What an exchange is for, as known when it begins. Never a token. */
export interface ExchangeStart {
  /** Unique in this process; those who join the exchange are told the same. */
  readonly id: string;
  /** `demand`: somebody waits for it. `refresh`: made ahead, while the last token is still good. */
  readonly reason: 'demand' | 'refresh';
  /** Token endpoint of the STS. */
  readonly tokenEndpoint: string;
  /** Name of the profile, and of the dialect where one is set: `rfc8693`, `rfc8693/keycloak`, ... */
  readonly profile: string;
  /** `client_id` that is used there. */
  readonly clientId: string;
  /** Audiences that were asked for. */
  readonly audiences: readonly string[];
  /** Resources that were asked for. */
  readonly resources: readonly string[];
  /** Scope that was asked for. */
  readonly scope: string | undefined;
  /** `sub` of the subject token. */
  readonly sub: string | undefined;
  /** `iss` of the subject token. */
  readonly iss: string | undefined;
}

/** One exchange and what came of it: claims and digests, never a token. */
export interface ExchangeEvent extends ExchangeStart {
  /** When it began, in milliseconds since the epoch. */
  readonly at: number;
  /** How long it took, retries included, in milliseconds. */
  readonly durationMs: number;
  /** `sub` of the actor token, as far as it was had. */
  readonly act: string | undefined;
  /** SHA-256 of the subject token, base64url: tells which token was exchanged, to whoever has it. */
  readonly subjectTokenDigest: string;
  /** `failed` also when what was issued was refused here; `aborted` when everybody who waited has gone. */
  readonly outcome: 'issued' | 'failed' | 'aborted';
  /** SHA-256 of the issued token, base64url. */
  readonly tokenDigest: string | undefined;
  /** Until when the issued token is used, in milliseconds since the epoch. */
  readonly usableUntil: number | undefined;
  /** Code of the failure, see `OnbehalfError`. */
  readonly code: ErrorCode | undefined;
  /** Class of the failure. */
  readonly failure: FailureClass | undefined;
  /** `error` that the STS answered with, redacted. */
  readonly oauthError: string | undefined;
  /** HTTP status behind the failure. */
  readonly status: number | undefined;
}

/**
 * One request for a token and where the answer came from: `hit` this process's memory, `shared` the shared store, `joined`
 * an exchange under way, `exchanged` an exchange of its own, `refused` a failure that is still remembered.
 */
export interface LookUpEvent {
  /** Where the answer came from. */
  readonly result: 'hit' | 'shared' | 'joined' | 'exchanged' | 'refused';
  /** Audiences of the target. */
  readonly audiences: readonly string[];
  /** Resources of the target. */
  readonly resources: readonly string[];
}

/** A circuit breaker that changed: `open` sends nothing to the STS, `half_open` tries with one request. */
export interface BreakerEvent {
  /** What it is now. */
  readonly state: BreakerState;
  /** Origin of the STS. */
  readonly sts: string;
}

/** The shared store went out of use (`down`: tokens are kept in memory only) or came back (`up`). */
export interface StoreEvent {
  /** What it is now. */
  readonly state: 'up' | 'down';
}

/** Somebody who looks on. What a listener throws is dropped; none ever sees a token. Each may be left out. */
export interface BrokerObserver {
  /** Called after each exchange. */
  readonly exchange?: ((event: ExchangeEvent) => void) | undefined;
  /** Called for each request for a token. */
  readonly lookUp?: ((event: LookUpEvent) => void) | undefined;
  /** Called when a breaker changes. */
  readonly breaker?: ((event: BreakerEvent) => void) | undefined;
  /** Called when the shared store fails, and when it works again. */
  readonly store?: ((event: StoreEvent) => void) | undefined;
  /**
   * Runs an exchange, or the wait of somebody who joined one, inside a span. It must call `run` once, at once; what that
   * returns settles as the exchange does, and holds no token.
   */
  readonly trace?:
    | ((kind: 'exchange' | 'join', about: ExchangeStart, run: () => Promise<void>) => Promise<void>)
    | undefined;
}

/** Runs an exchange, or the wait for one, inside the observer's span, if it has any. What becomes of the span changes nothing. */
export function traced<T>(
  { trace }: BrokerObserver,
  kind: 'exchange' | 'join',
  about: ExchangeStart,
  run: () => Promise<T>,
): Promise<T> {
  let begun: Promise<T> | undefined;
  const once = (): Promise<T> => {
    begun ??= run();
    return begun;
  };
  const settle = async (): Promise<void> => void (await once());
  if (trace) (async () => trace(kind, about, settle))().catch(() => {});
  return once();
}

/** @throws TypeError that names what is no listener: a slip would not be noticed otherwise */
export function checkObserver(observer: BrokerObserver): void {
  checkOptions(observer, '"observer"', {
    exchange: 'function?',
    lookUp: 'function?',
    breaker: 'function?',
    store: 'function?',
    trace: 'function?',
  });
}
