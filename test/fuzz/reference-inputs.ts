import { createNotes, isObject, type Judgement } from './reference.ts';
import { readJwt } from './reference-token.ts';

/** What a value was read as, if it was. */
export interface Read<T> extends Judgement {
  readonly value: T | undefined;
}

/** An `Authorization` header field (RFC 9110 section 11.4, RFC 6750 section 2.1); `value`: its token. */
export function judgeAuthorization(field: string): Read<string> {
  const notes = createNotes();
  const [, strict] = /^[ \t]*bearer +([A-Za-z0-9._~+/-]+=*)[ \t]*$/i.exec(field) ?? [];
  const [, loose] = /^\s*bearer\s+(\S+)\s*$/i.exec(field) ?? [];
  if (loose === undefined) notes.refuse('it is not one token of the scheme Bearer');
  else if (strict === undefined) notes.tolerate('it is not of its form');
  return { ...notes.judgement(), value: loose };
}

/** What a subject token says of the user: `sub`, and `exp` in milliseconds. */
export interface Subject {
  readonly sub: string | undefined;
  readonly expiresAt: number | undefined;
}

/** A subject token, before anything is sent: it must be one that can stand in a form, with a user, and not expired. */
export function judgeSubject(token: string, opaqueAllowed: boolean, now: number): Read<Subject> {
  const notes = createNotes();
  if (!/^[!-~]+$/.test(token)) notes.refuse('it is no token');
  const jwt = readJwt(token, notes);
  if (jwt === undefined) {
    if (!opaqueAllowed) notes.refuse('no JWT');
    return { ...notes.judgement(), value: undefined };
  }
  const { sub, exp } = jwt.payload;
  if (typeof sub !== 'string' || sub === '') notes.refuse('sub');
  if (exp !== undefined && !(typeof exp === 'number' && exp * 1000 > now)) notes.refuse('exp');
  return {
    ...notes.judgement(),
    value: {
      sub: typeof sub === 'string' ? sub : undefined,
      expiresAt: typeof exp === 'number' ? exp * 1000 : undefined,
    },
  };
}

const CHECKS: readonly unknown[] = ['audience', 'other_audiences', 'subject', 'scope', 'actor'];
const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';

function texts(value: unknown): readonly string[] | undefined {
  if (value === undefined) return [];
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  return all.every(isText) ? all : undefined;
}

/** A target as a user writes it; `value`: the parameters that it stands for (RFC 8693 section 2.1), in order. */
export function judgeTarget(target: unknown): Read<readonly (readonly [string, string])[]> {
  const notes = createNotes();
  const given = isText(target) ? { audience: target } : target;
  if (!isObject(given)) {
    notes.refuse('it is no target');
    return { ...notes.judgement(), value: undefined };
  }
  const { audience, resource, scope, requestedTokenType, profile, allowOpaqueIssued, unchecked, ...rest } =
    given;
  const [audiences, resources, scopes] = [audience, resource, scope].map(texts);
  const parameters: (readonly [string, string])[] = [
    ...(resources ?? []).map((each) => ['resource', each] as const),
    ...(audiences ?? []).map((each) => ['audience', each] as const),
  ];
  const scopeList = [
    ...new Set((scopes ?? []).flatMap((each) => each.split(' ')).filter((each) => each !== '')),
  ];
  if (scopeList.length > 0) parameters.push(['scope', scopeList.sort().join(' ')]);
  if (!audiences || !resources || !scopes || parameters.length === 0)
    notes.refuse('a member is not of its form');
  if (resources?.some((each) => each.includes('#') || !/^[a-z][a-z0-9+.-]*:/i.test(each)))
    notes.refuse('resource');
  if (resources?.some((each) => !isUsualUri(each))) notes.tolerate('resource is an unusual URI');
  if (parameters.some(([, value]) => !isWellFormed(value))) notes.refuse('it cannot be sent as it is');
  if (requestedTokenType !== undefined) {
    if (typeof requestedTokenType !== 'string' || requestedTokenType === '')
      notes.refuse('requestedTokenType');
    else parameters.push(['requested_token_type', requestedTokenType]);
  }
  // The other profiles are not asked for here.
  if (profile !== undefined && profile !== 'rfc8693') notes.refuse('profile');
  if (allowOpaqueIssued !== undefined && typeof allowOpaqueIssued !== 'boolean')
    notes.refuse('allowOpaqueIssued');
  const isListOfChecks = Array.isArray(unchecked) && unchecked.every((each) => CHECKS.includes(each));
  if (unchecked !== undefined && !isListOfChecks) notes.refuse('unchecked');
  if (Object.keys(rest).length > 0) notes.refuse('there is no such member');
  return { ...notes.judgement(), value: parameters };
}

/** Half a surrogate pair is nothing that UTF-8 has. */
const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

const isUsualUri = (text: string): boolean =>
  /^(https?:\/\/[a-z0-9.-]+(:[0-9]{1,4})?(\/[!-~]*)?|urn:[a-z]+:[!-~]+)$/.test(text);

/** `Retry-After` (RFC 9110 section 10.2.3); `value`: when, in milliseconds, seen from `now`. */
export function judgeRetryAfter(field: string, now: number): Read<number> {
  const notes = createNotes();
  if (/^[0-9]{1,9}$/.test(field)) return { ...notes.judgement(), value: Number(field) * 1000 };
  const date =
    /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) (\w{3}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT$/.exec(
      field,
    );
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'].indexOf(
    date?.[2] ?? '',
  );
  if (date === null || month < 0) {
    notes.tolerate('it is of another form');
    return { ...notes.judgement(), value: undefined };
  }
  const [day, year, hour, minute, second] = [1, 3, 4, 5, 6].map((index) => Number(date[index])) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const time = new Date(0);
  time.setUTCFullYear(year, month, day);
  time.setUTCHours(hour, minute, second);
  if (time.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59)
    notes.tolerate('there is no such time');
  return { ...notes.judgement(), value: Math.max(0, time.getTime() - now) };
}
