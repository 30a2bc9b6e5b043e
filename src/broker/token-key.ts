import type { ResolvedTarget } from '../core/target.ts';
import type { TokenService } from '../core/token-service.ts';
import type { ActorCache } from './actor-cache.ts';
import type { DelegationRecord } from './delegation.ts';
import type { Keyring } from './key.ts';

/** What a token's key is made from, besides the delegation and the target. */
export interface KeyOfOptions {
  readonly keyring: Keyring;
  readonly tokenService: TokenService;
  readonly actors: ActorCache | undefined;
  readonly tenant?: string | undefined;
  readonly generation?: string | undefined;
}

/**
 * The key under which the token of a delegation and a target is kept.
 *
 * @param actorIdentity - of the actor that was sent, empty for none. Default: of the actor as last seen
 */
export type KeyOf = (record: DelegationRecord, target: ResolvedTarget, actorIdentity?: string) => string;

/** Computes keys, and remembers them with each delegation: a look-up per request must not hash each time. */
export function createKeyOf({ keyring, tokenService, actors, ...options }: KeyOfOptions): KeyOf {
  return (record, target, actorIdentity = actors?.identity ?? '') => {
    const { tokenEndpoint, clientId } = tokenService;
    const memo = record.keys.get(target);
    if (memo && memo.actorIdentity === actorIdentity && memo.endpoint === tokenEndpoint) return memo.key;
    const key = keyring.key({
      tenant: options.tenant ?? '',
      generation: options.generation ?? '',
      profile: 'rfc8693',
      group: record.group.keyPart,
      subjectDigest: record.subjectDigest,
      subjectTokenType: record.subject.type,
      actorIdentity,
      tokenEndpoint: tokenEndpoint ?? '',
      clientId,
      ...target,
    });
    record.keys.set(target, { key, actorIdentity, endpoint: tokenEndpoint });
    return key;
  };
}
