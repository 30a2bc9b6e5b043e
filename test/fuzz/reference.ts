/**
 * What may be accepted, told once more from the specifications: RFC 8693 section 2.2, RFC 6749 section 5.1, RFC 7519, and
 * the invariants of the design. It imports nothing of src, and shares no library with it but what Node has.
 *
 * Signatures, `iss` and `nbf` are for the resource server, which can verify them.
 */

/** What a token was asked for. */
export interface Asked {
  readonly audiences: readonly string[];
  readonly resources: readonly string[];
  readonly scopes: readonly string[];
  readonly requestedTokenType: string | undefined;
  readonly opaqueAllowed: boolean;
  readonly unchecked: readonly string[];
  /** Tokens that were sent: one of them is no answer. */
  readonly sent: readonly string[];
  /** What the subject token says of the user. */
  readonly subject: { readonly sub?: string; readonly oid?: string; readonly exp?: number };
  /** What the actor token says, where one was sent. */
  readonly actor: { readonly sub?: string } | undefined;
  /** In milliseconds. */
  readonly now: number;
  readonly provider: Provider;
}

/** How the documentation of a provider departs from RFC 8693. */
export interface Provider {
  /** `issued_token_type` of an answer that has none. */
  readonly impliedType?: string;
  /** The only type that it is asked for. */
  readonly requestedTokenType?: string;
  readonly addedScopes?: readonly string[];
  readonly anyScope?: boolean;
  readonly unchecked?: readonly string[];
  /** The user is compared by `oid`. */
  readonly byOid?: boolean;
}

/** An answer as it is on the wire. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

/** A token as it is read from an answer, or from a store. */
export interface Token {
  readonly accessToken: unknown;
  readonly issuedTokenType: unknown;
  readonly scope: unknown;
}

/**
 * - `refused`: must never be accepted.
 * - `tolerated`: not as the specifications want it, but harmless, and read in one way only: it may be accepted.
 * - `valid`: must be accepted.
 */
export interface Judgement {
  readonly verdict: 'refused' | 'tolerated' | 'valid';
  readonly why: readonly string[];
}

/** The judgement of an answer, and what is in it. */
export interface AnswerJudgement extends Judgement {
  readonly accessToken: string | undefined;
  /** When it ends, in milliseconds; `undefined` when nobody says. */
  readonly ends: number | undefined;
}

export interface Notes {
  refuse(why: string): void;
  tolerate(why: string): void;
  judgement(): Judgement;
}

export function createNotes(): Notes {
  const refused: string[] = [];
  const tolerated: string[] = [];
  return {
    refuse: (why) => void refused.push(why),
    tolerate: (why) => void tolerated.push(why),
    judgement() {
      if (refused.length > 0) return { verdict: 'refused', why: refused };
      return { verdict: tolerated.length > 0 ? 'tolerated' : 'valid', why: tolerated };
    },
  };
}

type JsonObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** RFC 8693 section 2.2.1 on top of RFC 6749 section 5.1. */
export function judgeAnswer(answer: Answer, asked: Asked): AnswerJudgement {
  const notes = createNotes();
  const body = readBody(answer, notes);
  if (body === undefined) return { ...notes.judgement(), accessToken: undefined, ends: undefined };
  const wantsIdJag = asked.requestedTokenType?.endsWith(':id-jag') ?? false;
  const { token_type: tokenType, expires_in: expiresIn, refresh_token: refreshToken } = body;
  const type = typeof tokenType === 'string' ? tokenType.toLowerCase() : undefined;
  if (type !== (wantsIdJag ? 'n_a' : 'bearer')) notes.refuse('token_type');
  const lifetime = readLifetime(expiresIn, notes);
  if (refreshToken !== undefined && (typeof refreshToken !== 'string' || refreshToken === '')) {
    notes.tolerate('refresh_token');
  }
  const { access_token: accessToken, issued_token_type: ownType, scope } = body;
  const issuedTokenType = ownType === undefined ? asked.provider.impliedType : ownType;
  const claims = judgeToken({ accessToken, issuedTokenType, scope }, asked, notes);
  const told = [
    lifetime === undefined ? undefined : asked.now + lifetime * 1000,
    typeof claims?.exp === 'number' ? claims.exp * 1000 : undefined,
  ].filter((time) => time !== undefined);
  return {
    ...notes.judgement(),
    accessToken: typeof accessToken === 'string' ? accessToken : undefined,
    ends: told.length === 0 ? undefined : Math.min(...told),
  };
}

function readBody({ status, headers, body }: Answer, notes: Notes): JsonObject | undefined {
  if (status !== 200) notes.refuse('status');
  const contentTypes = headers.filter(([name]) => name.toLowerCase() === 'content-type');
  const mediaType = contentTypes.map(([, value]) => value).join(', ').split(';')[0] ?? '';
  if (mediaType.trim().toLowerCase() !== 'application/json') notes.refuse('content-type');
  // RFC 9110 section 8.3.1 would have them be the same.
  else if (mediaType !== 'application/json') notes.tolerate('content-type spelt otherwise');
  if (isUtf8(body) && body[0] !== 0xef) return jsonObject(new TextDecoder().decode(body), notes);
  notes.tolerate('not UTF-8, or with a byte order mark');
  return jsonObject(new TextDecoder().decode(body), notes);
}

function jsonObject(text: string, notes: Notes): JsonObject | undefined {
  try {
    // Of a member that is there twice, the last one counts (RFC 7519 section 4 allows that).
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {}
  notes.refuse('no JSON object');
  return undefined;
}

/** `expires_in` in seconds. */
function readLifetime(value: unknown, notes: Notes): number | undefined {
  if (value === undefined) return undefined;
  if (value === null) notes.tolerate('expires_in null');
  else if (typeof value === 'string' && /^\d{1,12}$/.test(value)) {
    notes.tolerate('expires_in as text');
    return Number(value);
  } else if (typeof value !== 'number' || value < 0) notes.refuse('expires_in');
  else if (!Number.isFinite(value) || !Number.isInteger(value)) notes.tolerate('expires_in odd');
  return typeof value === 'number' ? value : undefined;
}

/** The token itself; returns its claims if it is a JWT. */
export function judgeToken(token: Token, asked: Asked, notes: Notes): JsonObject | undefined {
  const { accessToken, issuedTokenType, scope } = token;
  const { provider } = asked;
  const wanted = asked.requestedTokenType ?? provider.requestedTokenType;
  const types = ['access_token', 'jwt'].map((name) => `urn:ietf:params:oauth:token-type:${name}`);
  if (wanted === undefined ? !types.includes(String(issuedTokenType)) : issuedTokenType !== wanted) {
    notes.refuse('issued_token_type');
  }
  if (typeof issuedTokenType !== 'string') notes.refuse('issued_token_type is no text');
  if (scope === null) notes.tolerate('scope null');
  else if (scope !== undefined && typeof scope !== 'string') notes.refuse('scope is no text');
  else judgeScope(typeof scope === 'string' ? scope.split(' ') : [], asked, notes);
  if (typeof accessToken !== 'string' || !/^[!-~]+$/.test(accessToken)) {
    notes.refuse('access_token');
    return undefined;
  }
  if (asked.sent.includes(accessToken)) notes.refuse('the token that was sent');
  const jwt = readJwt(accessToken, notes);
  if (asked.requestedTokenType?.endsWith(':id-jag') && String(jwt?.header.typ).toLowerCase() !== 'oauth-id-jag+jwt') {
    notes.refuse('typ');
  }
  if (jwt) judgeClaims(jwt.payload, asked, notes);
  else if (!asked.opaqueAllowed) notes.refuse('no JWT');
  return jwt?.payload;
}

/** RFC 7519 section 7.2, without the signature. */
function readJwt(token: string, notes: Notes): { header: JsonObject; payload: JsonObject } | undefined {
  const segments = token.split('.');
  const [header, payload] = segments.slice(0, 2).map(segmentObject);
  if (segments.length === 3 && header && payload && /^[\w-]*$/.test(segments[2] as string)) return { header, payload };
  // A server that is less strict may take it for one; then what it says must be right, and ours may see it so, too.
  if (segments.length === 3 && segmentObject(segments[1]?.replace(/=+$/, ''))) notes.tolerate('nearly a JWT');
  return undefined;
}

function segmentObject(segment: string | undefined): JsonObject | undefined {
  if (segment === undefined || !/^[\w-]+$/.test(segment)) return undefined;
  const bytes = Buffer.from(segment, 'base64url');
  if (!isUtf8(bytes)) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function judgeClaims(claims: JsonObject, asked: Asked, notes: Notes): void {
  const left = [...asked.unchecked, ...(asked.provider.unchecked ?? [])];
  const { exp, sub, oid, act } = claims;
  if (exp !== undefined && (typeof exp !== 'number' || exp * 1000 <= asked.now)) notes.refuse('exp');
  judgeAudience(claims.aud, asked, left, notes);
  for (const scope of [claims.scope, claims.scp]) judgeScopeClaim(scope, asked, notes);
  const byOid = asked.provider.byOid && asked.subject.oid !== undefined;
  const user = byOid ? asked.subject.oid : asked.subject.sub;
  if (user !== undefined && (byOid ? oid : sub) !== user && !left.includes('subject')) notes.refuse('sub');
  if (!asked.actor || left.includes('actor')) return;
  const named = isObject(act) ? act.sub : undefined;
  if (!isObject(act)) notes.refuse('act');
  else if (asked.actor.sub !== undefined && named !== asked.actor.sub) notes.refuse('act of another');
  else if (typeof named !== 'string') notes.tolerate('act without sub');
}

/** RFC 7519 section 4.1.3: text, or a list of texts. */
function judgeAudience(aud: unknown, asked: Asked, left: readonly string[], notes: Notes): void {
  const { audiences, resources } = asked;
  const places = audiences.length > 0 ? audiences : resources;
  const named: readonly unknown[] = aud === undefined ? [] : Array.isArray(aud) ? aud : [aud];
  if (!named.every((each) => typeof each === 'string')) {
    if (left.includes('audience') || left.includes('other_audiences') || places.length === 0) notes.tolerate('odd aud');
    else notes.refuse('aud is not of its form');
  }
  if (left.includes('audience') || places.length === 0) return;
  if (!places.every((place) => named.includes(place))) notes.refuse('aud');
  const others = named.filter((each) => ![...audiences, ...resources].includes(each as string));
  if (others.length > 0 && !left.includes('other_audiences')) notes.refuse('aud holds others');
}

/** RFC 8693 section 4.2; `scp`, and lists, are what some providers have. */
function judgeScopeClaim(scope: unknown, asked: Asked, notes: Notes): void {
  if (scope === undefined) return;
  if (typeof scope === 'string') return judgeScope(scope.split(' '), asked, notes);
  if (scope === null) return notes.tolerate('scope null');
  if (Array.isArray(scope) && scope.every((each) => typeof each === 'string')) {
    notes.tolerate('scope as list');
    return judgeScope(scope.flatMap((each: string) => each.split(' ')), asked, notes);
  }
  if (isScopeFree(asked)) notes.tolerate('odd scope');
  else notes.refuse('scope is not of its form');
}

const isScopeFree = ({ scopes, provider, unchecked }: Asked): boolean =>
  scopes.length === 0 ||
  provider.anyScope === true ||
  [...unchecked, ...(provider.unchecked ?? [])].includes('scope');

function judgeScope(granted: readonly string[], asked: Asked, notes: Notes): void {
  if (isScopeFree(asked)) return;
  const most = [...asked.scopes, ...(asked.provider.addedScopes ?? [])];
  if (granted.some((scope) => scope !== '' && !most.includes(scope))) notes.refuse('scope is wider');
}
