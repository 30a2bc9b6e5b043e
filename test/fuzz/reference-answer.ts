import {
  type Answer,
  type Asked,
  createNotes,
  isObject,
  type JsonObject,
  type Judgement,
  type Notes,
} from './reference.ts';
import { judgeToken, readJwt } from './reference-token.ts';

/** The judgement of an answer, and what is in it. */
export interface AnswerJudgement extends Judgement {
  readonly accessToken: string | undefined;
  /** When the token ends, in milliseconds; `undefined` when nobody says. */
  readonly ends: number | undefined;
}

/** What any grant's answer has. */
interface Grant {
  readonly body: JsonObject;
  /** In seconds. */
  readonly lifetime: number | undefined;
}

/** RFC 8693 section 2.2.1, and what it takes from RFC 6749 section 5.1. */
export function judgeAnswer(answer: Answer, asked: Asked): AnswerJudgement {
  const notes = createNotes();
  const wantsIdJag = asked.requestedTokenType?.endsWith(':id-jag') ?? false;
  const grant = readGrant(answer, wantsIdJag ? 'n_a' : 'bearer', notes);
  if (grant === undefined) return { ...notes.judgement(), accessToken: undefined, ends: undefined };
  const { issued_token_type: ownType, access_token: accessToken, scope } = grant.body;
  const { impliedType } = asked.provider;
  // A number that is too large for any counts as none, too: as JSON it is null when it is written again.
  const isTooLarge = typeof ownType === 'number' && !Number.isFinite(ownType);
  const isNone = ownType === undefined || ownType === null || isTooLarge;
  if (isNone && ownType !== undefined) notes.tolerate('issued_token_type null');
  const issuedTokenType = isNone ? impliedType : ownType;
  const claims = judgeToken({ accessToken, issuedTokenType, scope }, asked, notes);
  const told = [
    grant.lifetime === undefined ? undefined : asked.now + grant.lifetime * 1000,
    typeof claims?.exp === 'number' ? claims.exp * 1000 : undefined,
  ].filter((time) => time !== undefined);
  return {
    ...notes.judgement(),
    accessToken: typeof accessToken === 'string' ? accessToken : undefined,
    ends: told.length === 0 ? undefined : Math.min(...told),
  };
}

/** The judgement of an actor token, and whom it names. */
export interface ActorJudgement extends Judgement {
  readonly accessToken: string | undefined;
  readonly claims: { readonly sub?: string | undefined; readonly iss?: string | undefined };
}

/** An actor token by the client credentials grant (RFC 6749 section 4.4.3). */
export function judgeActor(answer: Answer, now: number): ActorJudgement {
  const notes = createNotes();
  const { access_token: token, scope } = readGrant(answer, 'bearer', notes)?.body ?? {};
  if (scope !== undefined && typeof scope !== 'string') notes.tolerate('scope');
  if (typeof token !== 'string' || !/^[!-~]+$/.test(token)) {
    notes.refuse('access_token');
    return { ...notes.judgement(), accessToken: undefined, claims: {} };
  }
  const { exp, sub, iss } = readJwt(token, notes)?.payload ?? {};
  if (exp !== undefined && !(typeof exp === 'number' && exp * 1000 > now)) notes.refuse('exp');
  return { ...notes.judgement(), accessToken: token, claims: { sub: text(sub), iss: text(iss) } };
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** RFC 6749 section 5.1. */
function readGrant(answer: Answer, wantedType: string, notes: Notes): Grant | undefined {
  const body = readBody(answer, notes);
  if (body === undefined) return undefined;
  const { token_type: type, refresh_token: refreshToken } = body;
  if (typeof type !== 'string' || type.toLowerCase() !== wantedType) notes.refuse('token_type');
  if (refreshToken !== undefined && (typeof refreshToken !== 'string' || refreshToken === '')) {
    notes.tolerate('refresh_token');
  }
  return { body, lifetime: readLifetime(body.expires_in, notes) };
}

/** The JSON object that an answer of 200 holds. */
export function readBody({ status, headers, body }: Answer, notes: Notes): JsonObject | undefined {
  if (status !== 200) notes.refuse('status');
  // RFC 6749 section 5.1 wants "application/json"; JSON under another name is read in no other way.
  if (!headers.some(([name, value]) => name === 'content-type' && /^application\/json(?:;|$)/.test(value))) {
    notes.tolerate('content-type');
  }
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    notes.tolerate('not UTF-8');
  }
  // Whoever reads it may set a limit.
  if (body.length > 90_000) notes.tolerate('very long');
  if (body[0] === 0xef) notes.tolerate('byte order mark');
  const text = new TextDecoder().decode(body);
  // RFC 8259 section 9: a reader may set a limit.
  if (/[[{]{500}/.test(text)) notes.tolerate('very deep');
  try {
    // Of a member that is there twice the last one counts, as RFC 7519 section 4 has it for claims.
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {}
  notes.refuse('no JSON object');
  return undefined;
}

/** `expires_in` in seconds. */
function readLifetime(value: unknown, notes: Notes): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^\d{1,12}$/.test(value)) {
    notes.tolerate('expires_in as text');
    return Number(value);
  }
  if (value === null) notes.tolerate('expires_in null');
  else if (typeof value !== 'number' || value < 0) notes.refuse('expires_in');
  else if (!Number.isInteger(value)) notes.tolerate('expires_in is no whole number');
  return typeof value === 'number' ? value : undefined;
}
