import type { ActorSource } from '../core/actor.ts';
import { readClaims } from '../core/claims.ts';
import { isOnbehalfError, OnbehalfError } from '../core/errors.ts';
import { isDamagedJwt } from '../core/jwt-form.ts';
import { PRINTABLE, type SecurityToken, securityToken } from '../core/token-types.ts';
import { type Keyring, SHARED_KEYRING } from './key.ts';
import { createSingleFlight } from './single-flight.ts';
import { usableUntil } from './ttl.ts';

/** The actor as of now. */
export interface Actor {
  readonly token: SecurityToken;
  readonly sub: string | undefined;
  readonly iss: string | undefined;
  /** Digest of issuer and `sub`; of the token itself when it is opaque. */
  readonly identity: string;
  /** The same, but equal in every process. */
  readonly sharedIdentity: string;
}

/** The actor token, asked from its source again when it is about to expire. */
export interface ActorCache {
  /** Identity of the last actor seen; `undefined` before the first. */
  readonly identity: string | undefined;
  /** Whether the last actor's token is over, so that its source may name another one now. */
  readonly stale: boolean;
  /** The last actor seen. */
  readonly last: Actor | undefined;
  /**
   * Asks the source again next time, if this is still the actor: the STS may have refused its token. Not more often than
   * every ten seconds, since it may as well have refused the subject's.
   */
  reject(actor: Actor): void;
  /** @throws OnbehalfError `actor_unavailable` or `actor_expired` */
  current(signal?: AbortSignal): Promise<Actor>;
}

const POLICY = { maxTtlMs: 3_600_000, marginMs: 10_000, unknownTtlMs: 60_000 } as const;
const RELOAD_MS = 10_000;

export function createActorCache(
  source: ActorSource,
  keyring: Keyring,
  options: { readonly now: () => number; readonly deadlineMs: number },
): ActorCache {
  const { now } = options;
  const flight = createSingleFlight<Actor>(options.deadlineMs);
  let last: { actor: Actor; usableUntil: number; loadedAt: number; doubtful: boolean } | undefined;

  const load = async (signal: AbortSignal): Promise<Actor> => {
    const token = await ask(source, signal);
    const claims = readClaims(token.token);
    const time = now();
    if (claims?.exp !== undefined && !(claims.exp > time)) {
      throw new OnbehalfError(
        'actor_expired',
        'the actor token has expired and its source gave no newer one',
        {
          failure: 'misconfigured',
        },
      );
    }
    const who = claims?.sub === undefined ? ['opaque', token.token] : ['sub', claims.iss ?? '', claims.sub];
    const identity = keyring.digest(token.type, ...who);
    const sharedIdentity = SHARED_KEYRING.digest(token.type, ...who);
    const actor = { token, sub: claims?.sub, iss: claims?.iss, identity, sharedIdentity };
    const facts = { now: time, expiresInMs: token.expiresInMs, tokenExp: claims?.exp, subjectExp: undefined };
    const until = usableUntil({ ...facts, ...POLICY });
    last = { actor, usableUntil: until, loadedAt: time, doubtful: false };
    return actor;
  };

  return {
    get identity() {
      return last?.actor.identity;
    },
    get stale() {
      return last === undefined || last.doubtful || last.usableUntil <= now();
    },
    get last() {
      return last?.actor;
    },
    reject(actor) {
      if (last?.actor === actor && last.loadedAt + RELOAD_MS <= now()) last.doubtful = true;
    },
    async current(signal) {
      const known = last && last.usableUntil > now() ? last : undefined;
      if (known && !known.doubtful) return known.actor;
      try {
        return await flight.run('actor', load, signal);
      } catch (error) {
        // It was doubted since an exchange was refused; that may have been for the subject's sake.
        if (!known || signal?.aborted) throw error;
        known.doubtful = false;
        known.loadedAt = now();
        return known.actor;
      }
    },
  };
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';

async function ask(source: ActorSource, signal: AbortSignal): Promise<SecurityToken> {
  try {
    const given = await source({ signal });
    const token = typeof given === 'string' ? securityToken(given) : given;
    const isToken = isText(token?.token) && PRINTABLE.test(token.token) && isText(token.type);
    if (isToken && !isDamagedJwt(token.token)) return token;
  } catch (error) {
    signal.throwIfAborted();
    if (isOnbehalfError(error)) {
      const { failure, status, oauthError, retryAfterMs } = error;
      throw new OnbehalfError('actor_unavailable', `there is no actor token: ${error.message}`, {
        failure: failure === 'unavailable' ? failure : 'misconfigured',
        ...{ status, oauthError, retryAfterMs },
      });
    }
    // What a foreign source throws may hold anything, so nothing of it is passed on.
    throw new OnbehalfError('actor_unavailable', 'the source of the actor token failed', {
      failure: 'unavailable',
    });
  }
  throw new OnbehalfError(
    'actor_unavailable',
    'the source of the actor token gave no token, a damaged one, or one without type',
    {
      failure: 'misconfigured',
    },
  );
}
