import type { BreakerState } from './breaker.ts';

/** An STS and this client's registration there. It shows no secret when it is printed. */
export interface TokenService {
  /** Unique in this process. */
  readonly id: string;
  /** `client_id` of this client at the STS. */
  readonly clientId: string;
  /** Name of its dialect, if it has one. */
  readonly dialect: string | undefined;
  /** Issuer identifier, where it was configured or discovered. */
  readonly issuer: string | undefined;
  /** State of its circuit breaker. */
  readonly breaker: BreakerState;
  /** The token endpoint, once it is known; before, `undefined`. */
  readonly tokenEndpoint: string | undefined;
  /**
   * Finds the token endpoint: discovered once, shared by all callers, asked again after a failure.
   *
   * @throws OnbehalfError `sts_unreachable`, `sts_timeout`, `sts_metadata_invalid` or `insecure_url`
   */
  discover(): Promise<string>;
}
