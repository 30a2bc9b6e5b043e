import { setImmediate } from 'node:timers/promises';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';

/** A request that waits for its answer. */
export interface Held {
  /** Which replica asks, counted from 0, see {@link StsDouble.replica}. */
  readonly from: number;
  readonly form: URLSearchParams;
  /** Grants it, as {@link StsDouble} says. */
  grant(more?: Grant): void;
  /** Answers with an OAuth error response. */
  refuse(error: string, more?: { readonly status?: number; readonly retryAfter?: number }): void;
  /** Fails as a lost connection does. */
  drop(): void;
}

/** Where a grant is to differ from what was asked for. */
export interface Grant {
  readonly lifetimeMs?: number;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly response?: Readonly<Record<string, unknown>>;
}

/** An STS without a network: its answers come at once, or when the test lets them go. */
export interface StsDouble {
  readonly service: TokenService;
  /** The same STS and client as another process sees them, or another client. */
  replica(more?: Partial<TokenServiceOptions>): TokenService;
  /** What was asked, in order, aborted requests included. */
  readonly asked: readonly URLSearchParams[];
  /** Requests without an answer, oldest first; who gave up is not among them. */
  readonly waiting: readonly Held[];
  /** Every token it issued. */
  readonly issued: readonly string[];
  /** Answers requests from now on; `hold` leaves them waiting. */
  answer(how: 'grant' | 'hold' | ((held: Held) => void)): void;
  /** Resolves when this many requests have come. */
  arrived(count: number): Promise<void>;
}

export interface StsDoubleOptions {
  readonly now?: () => number;
  /** Lifetime of what it issues, told as `expires_in` and as `exp`. Default: 300,000. */
  readonly lifetimeMs?: number;
  readonly service?: Partial<TokenServiceOptions>;
}

export function createStsDouble(options: StsDoubleOptions = {}): StsDouble {
  const { now = Date.now, lifetimeMs = 300_000 } = options;
  const asked: URLSearchParams[] = [];
  const issued: string[] = [];
  const waiting: Held[] = [];
  let answer: (held: Held) => void = (held) => held.grant();

  const send = (from: number, init: RequestInit): Promise<Response> =>
    new Promise((resolve, reject) => {
      const form = new URLSearchParams(String(init.body));
      const settle = (act: () => void): void => {
        const place = waiting.indexOf(held);
        if (place < 0) return;
        waiting.splice(place, 1);
        act();
      };
      const held: Held = {
        ...{ from, form },
        grant: (more = {}) =>
          settle(() => {
            const body = granted(form, { now: now(), lifetimeMs, ...more });
            issued.push(body.access_token);
            resolve(Response.json(body));
          }),
        refuse: (error, { status = 400, retryAfter } = {}) =>
          settle(() => {
            const headers = retryAfter === undefined ? undefined : { 'retry-after': `${retryAfter}` };
            resolve(Response.json({ error }, { status, ...(headers && { headers }) }));
          }),
        drop: () => settle(() => reject(new TypeError('fetch failed'))),
      };
      init.signal?.addEventListener('abort', () => settle(() => reject(init.signal?.reason)));
      asked.push(form);
      waiting.push(held);
      answer(held);
    });

  let replicas = 0;
  const replica = (more: Partial<TokenServiceOptions> = {}): TokenService => {
    const from = replicas++;
    return createTokenService({
      tokenEndpoint: 'https://sts.example.com/token',
      clientId: 'agent',
      retry: { attempts: 1 },
      breaker: { failures: 1_000_000 },
      fetch: (_url, init) => send(from, init),
      ...options.service,
      ...more,
    });
  };

  return {
    ...{ service: replica(), replica, asked, waiting, issued },
    answer(how) {
      answer = how === 'hold' ? () => {} : how === 'grant' ? (held) => held.grant() : how;
    },
    async arrived(count) {
      await until(() => asked.length >= count);
    },
  };
}

function granted(
  form: URLSearchParams,
  grant: Grant & { readonly now: number; readonly lifetimeMs: number },
): { readonly access_token: string } & Record<string, unknown> {
  const payloadOf = (name: string): Record<string, unknown> | undefined => {
    const payload = form.get(name)?.split('.')[1];
    return payload === undefined ? undefined : JSON.parse(Buffer.from(payload, 'base64url').toString());
  };
  const actor = payloadOf('actor_token');
  const claims = {
    iss: 'https://sts.example.com',
    sub: payloadOf('subject_token')?.sub,
    aud: [...form.getAll('audience'), ...form.getAll('resource')],
    exp: seconds(grant.now + grant.lifetimeMs),
    ...(form.has('scope') ? { scope: form.get('scope') } : {}),
    ...(actor === undefined ? {} : { act: { sub: actor.sub } }),
    ...grant.claims,
  };
  return {
    access_token: fakeJwt(claims),
    issued_token_type: form.get('requested_token_type') ?? TOKEN_TYPE.accessToken,
    token_type: 'Bearer',
    expires_in: grant.lifetimeMs / 1000,
    ...grant.response,
  };
}

/** Resolves when a condition holds, looked at once a turn of the event loop; no time passes. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000; turn++) {
    if (condition()) return;
    await setImmediate();
  }
  throw new Error('it never came to that');
}

/** Lets everything go on that waits for nothing outside of this process. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await setImmediate();
}

/** Whether a promise is still waiting, once everything that could go on has gone on. */
export async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  let waiting = true;
  const done = (): void => {
    waiting = false;
  };
  promise.then(done, done);
  await settled();
  return waiting;
}

/** A clock of whole seconds, so that `exp` loses nothing. */
export const WHOLE = 1_800_000_000_000;
