import { profileNameOf } from '../core/profiles/profile-of.ts';
import type { ResolvedTarget } from '../core/target.ts';
import type { TokenService } from '../core/token-service-handle.ts';
import type { Actor, ActorCache } from './actor-cache.ts';
import type { DelegationRecord } from './delegation.ts';
import { type KeyParts, type Keyring, SHARED_KEYRING } from './key.ts';

/** What a token's key is made from, besides the delegation and the target. */
export interface KeyOfOptions {
  readonly keyring: Keyring;
  readonly tokenService: TokenService;
  readonly actors: ActorCache | undefined;
  readonly tenant?: string | undefined;
  readonly generation?: string | undefined;
}

/** The keys under which the tokens of a delegation and a target are kept. */
export interface TokenKeys {
  /** In this process. `actorIdentity`: of the actor that was sent, empty for none. Default: of the actor as last seen. */
  local(record: DelegationRecord, target: ResolvedTarget, actorIdentity?: string): string;
  /** In a store that replicas share: equal in all of them. */
  shared(record: DelegationRecord, target: ResolvedTarget, actor: Actor | undefined): string;
}

/** Computes keys; the local ones are remembered with each delegation: a look-up per request must not hash each time. */
export function createTokenKeys({ keyring, tokenService, actors, ...options }: KeyOfOptions): TokenKeys {
  const parts = (
    { group, subject }: DelegationRecord,
    target: ResolvedTarget,
    identities: Pick<KeyParts, 'subjectDigest' | 'actorIdentity'>,
  ): KeyParts => {
    const { authorizationServer: as } = target;
    return {
      tenant: options.tenant ?? '',
      generation: options.generation ?? '',
      profile: [profileNameOf(tokenService, target), tokenService.dialect ?? '', as?.dialect ?? ''],
      group: group.keyPart,
      ...identities,
      subjectTokenType: subject.type,
      tokenEndpoint: tokenService.tokenEndpoint ?? '',
      clientId: tokenService.clientId,
      audiences: target.audiences,
      resources: target.resources,
      scopes: target.scopes,
      requestedTokenType: target.requestedTokenType,
      authorizationServer: as ? [as.tokenEndpoint ?? '', as.issuer ?? '', as.clientId] : [],
      unchecked: target.allowOpaqueIssued ? ['opaque', ...target.unchecked] : target.unchecked,
    };
  };

  return {
    local(record, target, actorIdentity = actors?.identity ?? '') {
      const { tokenEndpoint } = tokenService;
      // Its issuer is known with it.
      const resourceEndpoint = target.authorizationServer?.tokenEndpoint;
      const memo = record.keys.get(target);
      if (
        memo?.actorIdentity === actorIdentity &&
        memo.tokenEndpoint === tokenEndpoint &&
        memo.resourceEndpoint === resourceEndpoint
      ) {
        return memo.key;
      }
      const { subjectDigest } = record;
      const key = keyring.key(parts(record, target, { subjectDigest, actorIdentity }));
      record.keys.set(target, { key, actorIdentity, tokenEndpoint, resourceEndpoint });
      return key;
    },
    shared(record, target, actor) {
      const subjectDigest = SHARED_KEYRING.digest(record.subject.token);
      const actorIdentity = actor?.sharedIdentity ?? '';
      return SHARED_KEYRING.key(parts(record, target, { subjectDigest, actorIdentity }));
    },
  };
}
