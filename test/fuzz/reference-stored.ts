import { type Asked, createNotes, isObject, type Judgement } from './reference.ts';
import { judgeToken } from './reference-token.ts';

/** What a shared store gave: a token as it was taken from the STS, in JSON, with its times in milliseconds. */
export function judgeStored(
  text: unknown,
  asked: Asked,
): Judgement & { readonly accessToken: string | undefined; readonly ends: number } {
  const notes = createNotes();
  const written = typeof text === 'string' ? parsed(text) : undefined;
  if (!isObject(written)) {
    notes.refuse('no JSON object');
    return { ...notes.judgement(), accessToken: undefined, ends: asked.now };
  }
  const { accessToken, issuedTokenType, scope, usableUntil, refreshAt, expiresInMs } = written;
  const claims = judgeToken({ accessToken, issuedTokenType, scope }, asked, notes);
  if (expiresInMs !== undefined && !Number.isFinite(expiresInMs)) notes.tolerate('expiresInMs');
  if (refreshAt !== null && !Number.isFinite(refreshAt)) notes.tolerate('refreshAt');
  const until = typeof usableUntil === 'number' ? usableUntil : Number.NaN;
  if (!Number.isFinite(until)) notes.tolerate('usableUntil');
  const { exp = Number.POSITIVE_INFINITY } = asked.subject;
  const ends = Math.min(
    ...[until, exp * 1000, asked.now + 3_600_000],
    typeof claims?.exp === 'number' ? claims.exp * 1000 : Number.POSITIVE_INFINITY,
  );
  if (!(ends > asked.now)) notes.refuse('it has ended');
  return {
    ...notes.judgement(),
    accessToken: typeof accessToken === 'string' ? accessToken : undefined,
    ends,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
