import { type Asked, isObject, type JsonObject, type Notes } from './reference.ts';

/** A token as it is read from an answer, or from a store. */
export interface Token {
  readonly accessToken: unknown;
  readonly issuedTokenType: unknown;
  readonly scope: unknown;
}

/** RFC 7519 section 7.2, and what the design says that a token must be. Returns its claims if it is a JWT. */
export function judgeToken(token: Token, asked: Asked, notes: Notes): JsonObject | undefined {
  const { accessToken, issuedTokenType, scope } = token;
  const wanted = asked.requestedTokenType ?? asked.provider.requestedTokenType;
  const usable = ['access_token', 'jwt'].map((name) => `urn:ietf:params:oauth:token-type:${name}`);
  if (!(wanted === undefined ? usable : [wanted]).some((type) => type === issuedTokenType)) {
    notes.refuse('issued_token_type');
  }
  if (scope === null) notes.tolerate('scope null');
  else if (typeof scope === 'string') judgeScope(scope.split(' '), asked, notes);
  else if (scope !== undefined) notes.refuse('scope is no text');
  // RFC 6749 appendix A.12, but no space: it is to go into a header field.
  if (typeof accessToken !== 'string' || !/^[!-~]+$/.test(accessToken)) {
    notes.refuse('access_token');
    return undefined;
  }
  if (asked.sent.includes(accessToken)) notes.refuse('the token that was sent');
  const jwt = readJwt(accessToken, notes);
  if (asked.requestedTokenType?.endsWith(':id-jag')) judgeIdJag(accessToken, notes);
  if (jwt) judgeClaims(jwt.payload, asked, notes);
  else if (!asked.opaqueAllowed) notes.refuse('no JWT');
  else if (asked.requestedTokenType?.endsWith(':id-jag'))
    notes.tolerate('an ID-JAG that nobody here can read');
  return jwt?.payload;
}

/** RFC 7519 section 7.2, without the signature; `undefined` for what is opaque. */
export function readJwt(
  token: string,
  notes: Notes,
): { readonly header: JsonObject; readonly payload: JsonObject } | undefined {
  const segments = token.split('.');
  if (segments.length !== 3) return undefined;
  const header = segmentObject(segments[0]);
  const payload = segmentObject(segments[1]);
  if (header && payload && /^[\w-]*$/.test(segments[2] as string)) {
    if (segments[2] === '') notes.tolerate('not signed');
    return { header, payload };
  }
  // It may be taken for a JWT that is damaged, or, by who is less strict, for one that is not; then it is held to what it says.
  if (segments.slice(0, 2).some((each) => segmentObject(each.replace(/=+$/, ''))))
    notes.tolerate('nearly a JWT');
  return undefined;
}

/** draft-ietf-oauth-identity-assertion-authz-grant section 3.1. Of an encrypted one, the header can be read, too. */
function judgeIdJag(token: string, notes: Notes): void {
  const segments = token.split('.');
  const typ = [3, 5].includes(segments.length) ? segmentObject(segments[0])?.typ : undefined;
  // RFC 7515 section 4.1.9: a media type, and "application/" may be left out.
  const named = typeof typ === 'string' ? typ.toLowerCase() : '';
  if (!['oauth-id-jag+jwt', 'application/oauth-id-jag+jwt'].includes(named)) notes.refuse('typ');
}

function segmentObject(segment = ''): JsonObject | undefined {
  if (!/^[\w-]+$/.test(segment) || segment.length % 4 === 1) return undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(segment, 'base64url'));
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function judgeClaims(claims: JsonObject, asked: Asked, notes: Notes): void {
  const { exp, aud, act, scope, scp } = claims;
  if (exp !== undefined && !(typeof exp === 'number' && exp * 1000 > asked.now)) notes.refuse('exp');
  judgeAudience(aud, asked, notes);
  judgeScopeClaim(scope, asked, notes);
  judgeScopeClaim(scp, asked, notes);
  if (!isLeft('subject', asked)) judgeSubject(claims, asked, notes);
  if (asked.actor && !isLeft('actor', asked)) judgeActClaim(act, asked.actor, notes);
}

/** RFC 8693 section 4.1. */
function judgeActClaim(act: unknown, actor: NonNullable<Asked['actor']>, notes: Notes): void {
  if (!isObject(act)) {
    notes.refuse('act');
    return;
  }
  if (actor.sub !== undefined && act.sub !== actor.sub) notes.refuse('act is of another');
  else if (typeof act.sub !== 'string') notes.tolerate('act without sub');
  if (act.iss === undefined) return;
  if (typeof act.iss !== 'string') notes.tolerate('iss of act');
  else if (actor.iss !== undefined && act.iss !== actor.iss) notes.refuse('act is of another issuer');
}

/** RFC 8693 section 4.4: whom the subject token says that it may be used by. */
export function judgeMayAct({ subject, actor }: Asked, notes: Notes): void {
  const { may_act: mayAct } = subject;
  if (mayAct === undefined || actor === undefined) return;
  // Whose an opaque token is, only the STS knows.
  if (actor.sub === undefined) {
    notes.tolerate('may_act');
    return;
  }
  const isNamed = isObject(mayAct) && mayAct.sub === actor.sub;
  if (!isNamed || (mayAct.iss !== undefined && mayAct.iss !== actor.iss)) notes.refuse('may_act');
}

const isLeft = (check: string, { unchecked, provider }: Asked): boolean =>
  [...unchecked, ...(provider.unchecked ?? [])].includes(check);

function judgeSubject(claims: JsonObject, { subject, provider }: Asked, notes: Notes): void {
  const by = provider.byOid && subject.oid !== undefined ? 'oid' : 'sub';
  if (subject[by] !== undefined && claims[by] !== subject[by]) notes.refuse(by);
}

/** RFC 7519 section 4.1.3: text, or a list of texts. */
function judgeAudience(aud: unknown, asked: Asked, notes: Notes): void {
  const { audiences, resources } = asked;
  const places = audiences.length > 0 ? audiences : resources;
  const named: readonly unknown[] = aud === undefined ? [] : Array.isArray(aud) ? aud : [aud];
  const isFree = isLeft('audience', asked) || places.length === 0;
  if (!named.every((each) => typeof each === 'string')) {
    if (isFree || isLeft('other_audiences', asked)) notes.tolerate('aud is not of its form');
    else notes.refuse('aud is not of its form');
  }
  if (isFree) return;
  if (!places.every((place) => named.includes(place))) notes.refuse('aud');
  const known: readonly unknown[] = [...audiences, ...resources];
  if (!isLeft('other_audiences', asked) && !named.every((each) => known.includes(each))) {
    notes.refuse('aud holds others');
  }
}

/** RFC 8693 section 4.2; `scp`, and lists, are what some providers have. Whichever a server reads must not be wider. */
function judgeScopeClaim(scope: unknown, asked: Asked, notes: Notes): void {
  if (scope === undefined) return;
  if (typeof scope === 'string') judgeScope(scope.split(' '), asked, notes);
  else if (scope === null) notes.tolerate('scope null');
  else if (Array.isArray(scope) && scope.every((each) => typeof each === 'string')) {
    notes.tolerate('scope as list');
    judgeScope(scope.join(' ').split(' '), asked, notes);
  } else if (isAnyScope(asked)) notes.tolerate('scope is not of its form');
  else notes.refuse('scope is not of its form');
}

/** RFC 6749 section 3.3: without a scope asked, the server decides. */
const isAnyScope = (asked: Asked): boolean =>
  asked.scopes.length === 0 ||
  (asked.provider.shortScopes === true && asked.scopes.some((scope) => scope.endsWith('/.default'))) ||
  isLeft('scope', asked);

function judgeScope(granted: readonly string[], asked: Asked, notes: Notes): void {
  if (isAnyScope(asked)) return;
  const { addedScopes = [], shortScopes } = asked.provider;
  const short = shortScopes ? asked.scopes.map((scope) => scope.split('/').at(-1)) : [];
  const most = [...asked.scopes, ...addedScopes, ...short];
  if (granted.some((scope) => scope !== '' && !most.includes(scope))) notes.refuse('scope is wider');
}
