import { abortable } from './abortable.ts';
import type { ActorSource } from './actor.ts';
import { OnbehalfError } from './errors.ts';
import { isWholeJwt } from './jwt-form.ts';
import { checkOptions } from './options.ts';
import { readTextFile } from './text-file.ts';
import { securityToken, TOKEN_TYPE } from './token-types.ts';

/** Options of {@link fileActor}. */
export interface FileActorOptions {
  /**
   * Token type identifier of the token (RFC 8693 section 3). Keycloak takes access tokens only:
   * `TOKEN_TYPE.accessToken`. Default: `urn:ietf:params:oauth:token-type:jwt`.
   */
  readonly tokenType?: string | undefined;
}

/**
 * Takes the actor token from a file that somebody renews, as the kubelet does with a projected service-account token.
 * The file is read anew each time a token is needed, so a new one is seen without a restart. It must hold a JWT and
 * nothing else; line breaks at its end do not matter. Whether the token has expired is looked at by the broker.
 *
 * @param path - of the file; it is shown in errors
 * @returns a source that throws OnbehalfError `actor_unavailable` while there is no whole JWT in the file
 * @throws TypeError that names the option which is wrong
 */
export function fileActor(path: string, options: FileActorOptions = {}): ActorSource {
  checkOptions({ path }, 'fileActor()', { path: 'text' });
  // It is shown in errors.
  if (isWholeJwt(path)) throw new TypeError('"path" must be the path of a file, not a token');
  checkOptions(options, 'fileActor()', { tokenType: 'text?' });
  const { tokenType = TOKEN_TYPE.jwt } = options;
  return async ({ signal }) => {
    const read = await abortable(readTextFile(path), signal);
    if (!('text' in read)) throw unavailable(read.problem, read.failure);
    if (isWholeJwt(read.text)) return securityToken(read.text, tokenType);
    // It may be half-written, by somebody who does not put the new file in place whole.
    throw unavailable(`${path} holds no JWT, or a part of one`, 'unavailable');
  };
}

function unavailable(problem: string, failure: 'unavailable' | 'misconfigured'): OnbehalfError {
  return new OnbehalfError('actor_unavailable', `the actor token's file ${problem}`, { failure });
}
