import type { Delegation } from '../../src/broker/delegation.ts';
import type { Broker } from '../../src/broker/types.ts';
import type { IssuedToken } from '../../src/core/issued-token.ts';
import type { Clock } from '../support/clock.ts';
import { assertNoLeak } from './leaks.ts';
import type { Outcome } from './property.ts';
import type { Asked, Judgement } from './reference.ts';
import type { AnswerJudgement } from './reference-answer.ts';
import { NOW, type Wish } from './world.ts';

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
  if (verdict === 'refused') throw new Error(`accepted, although the reference refuses it: ${why}`);
  if (token.accessToken !== accessToken) throw new Error('the token is not the one in the answer');
  assertNoLeak(token, [token.accessToken]);
  return verdict === 'valid' ? 'accepted' : 'tolerated';
}

/** A token that a broker gave out, and until when it may, in milliseconds. */
export interface GivenOut {
  readonly broker: Broker;
  readonly delegation: Delegation;
  readonly wish: Wish;
  readonly token: IssuedToken;
  readonly ends: number;
  readonly clock: Clock;
}

/** @throws Error when a token is not kept, or is still given out when it has ended */
export function assertKeptUntilEnd({ broker, delegation, wish, token, ends, clock }: GivenOut): void {
  if (broker.peek(delegation, wish) !== token) throw new Error('it was not kept');
  clock.advance(ends - NOW);
  // The subject's token may have ended, too.
  if (broker.status(delegation) !== 'active') return;
  if (broker.peek(delegation, wish) !== undefined) throw new Error('it was given out after its end');
}

/** A judgement with the end that a broker must keep to; what ends at once is refused. Without any, it is a minute. */
export function bounded(
  judged: AnswerJudgement,
  { subject, now }: Pick<Asked, 'subject' | 'now'>,
): AnswerJudgement {
  const { exp = Number.POSITIVE_INFINITY } = subject;
  const ends = Math.min(judged.ends ?? now + 60_000, exp * 1000, now + 3_600_000);
  if (ends > now) return { ...judged, ends };
  return { ...judged, verdict: 'refused', why: [...judged.why, 'it has no lifetime'] };
}
