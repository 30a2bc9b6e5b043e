import type { IssuedToken } from '../../src/core/issued-token.ts';
import { assertNoLeak } from './leaks.ts';
import type { Outcome } from './property.ts';
import type { Judgement } from './reference.ts';

/** @throws Error when the reference would have accepted it */
export function refused({ verdict }: Pick<Judgement, 'verdict'>, message: string): Outcome {
  if (verdict === 'valid') throw new Error(`refused, although the reference accepts it: ${message}`);
  return 'refused';
}

/** @throws Error when the reference would have refused it, or has read another token */
export function accepted(
  { verdict, why, accessToken }: Judgement & { readonly accessToken: string | undefined },
  token: IssuedToken,
): Outcome {
  if (verdict === 'refused')
    throw new Error(`accepted, although the reference refuses it: ${why.join(', ')}`);
  if (token.accessToken !== accessToken) throw new Error('the token is not the one in the answer');
  assertNoLeak(token, [token.accessToken]);
  return verdict === 'valid' ? 'accepted' : 'tolerated';
}
