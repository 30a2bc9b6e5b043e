import fc from 'fast-check';
import type { Asked, Provider } from './reference.ts';

/** The clock of every case stands here, in milliseconds. */
export const NOW = 1_800_000_000_000;
export const NOW_SECONDS: number = NOW / 1000;

export const ENDPOINT = 'https://sts.example.com/token';
export const CLIENT_ID = 'agent';
/** With what forms, URLs and header fields write otherwise. */
export const CLIENT_SECRET = 'a fake client-secret/with+more&100%!signs';
const BILLING = 'https://mcp.example.com/billing';

const TYPE = 'urn:ietf:params:oauth:token-type:';
export const TYPES = {
  accessToken: `${TYPE}access_token`,
  jwt: `${TYPE}jwt`,
  idToken: `${TYPE}id_token`,
  idJag: `${TYPE}id-jag`,
} as const;

export const base64url = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');

/** A JWT that nobody signed, always the same. */
export function jwtOf(claims: object, header: object = { alg: 'ES256', typ: 'at+jwt' }): string {
  return `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}.${base64url('no signature of anybody')}`;
}

/** A token that is sent, and what it says. */
export interface Party {
  readonly token: string;
  readonly claims: {
    readonly iss?: string | undefined;
    readonly sub?: string | undefined;
    readonly oid?: string | undefined;
    readonly exp?: number | undefined;
    readonly may_act?: unknown;
  };
}

const party = (claims: Party['claims']): Party => ({ token: jwtOf(claims), claims });
const opaque = (token: string): Party => ({ token, claims: {} });

const IDP = 'https://idp.example.com';
export const SUBJECTS: readonly Party[] = [
  party({ iss: IDP, sub: 'alice', exp: NOW_SECONDS + 900 }),
  party({ iss: IDP, sub: 'alice', oid: 'fake-object-id-of-alice' }),
  party({ iss: IDP, sub: 'älice "ünicode" 爱丽丝' }),
  opaque('fake-opaque-subject-token-0123456789'),
  // It ends before the tokens that are issued for it.
  party({ iss: IDP, sub: 'alice', exp: NOW_SECONDS + 60 }),
];
/** They say who may act for them; only the broker looks at that. */
export const DELEGATORS: readonly Party[] = [
  { sub: 'agent-1' },
  { sub: 'agent-1', iss: 'https://sts.example.com' },
  ...[
    { sub: 'agent-2' },
    { sub: 'agent-1', iss: 'https://other.example.com' },
    { iss: IDP },
    {},
    'agent-1',
    null,
    [{ sub: 'agent-1' }],
  ],
].map((mayAct) => party({ iss: IDP, sub: 'alice', exp: NOW_SECONDS + 900, may_act: mayAct }));
export const ACTORS: readonly (Party | undefined)[] = [
  undefined,
  party({ iss: IDP, sub: 'agent-1', exp: NOW_SECONDS + 900 }),
  opaque('fake-opaque-actor-token-0123456789'),
];

/** What a token is asked for, as `resolveTarget` takes it. */
export interface Wish {
  readonly audience?: string | readonly string[];
  readonly resource?: string;
  readonly scope?: string | readonly string[];
  readonly requestedTokenType?: string;
  readonly allowOpaqueIssued?: boolean;
  readonly unchecked?: readonly ('audience' | 'other_audiences' | 'subject' | 'scope' | 'actor')[];
}

const PLACES: readonly Wish[] = [
  { audience: 'calendar' },
  { audience: ['calendar', 'files'] },
  { resource: BILLING },
  { audience: 'calendar', resource: BILLING },
];

const optional = <T>(name: string, value: fc.Arbitrary<T>): fc.Arbitrary<object> =>
  fc.oneof(
    { arbitrary: fc.constant({}), weight: 3 },
    value.map((given) => ({ [name]: given })),
  );

export const wish: fc.Arbitrary<Wish> = fc
  .tuple(
    fc.constantFrom<Wish>(...PLACES, { scope: 'read' }),
    optional('scope', fc.constantFrom<Wish['scope']>('read', 'read write', ['write', 'read'])),
    optional(
      'requestedTokenType',
      fc.constantFrom(TYPES.jwt, TYPES.accessToken, TYPES.idJag, 'urn:example:odd'),
    ),
    optional('allowOpaqueIssued', fc.constant(true)),
    optional(
      'unchecked',
      fc.subarray(['audience', 'other_audiences', 'subject', 'scope', 'actor'] as const, {
        minLength: 1,
        maxLength: 2,
      }),
    ),
  )
  .map((parts) => Object.assign({}, ...parts));

const list = (value: string | readonly string[] = []): readonly string[] => [value].flat();

/** What is asked, in the words of the reference. */
export function asked(
  order: { readonly wish: Wish; readonly subject: Party; readonly actor?: Party | undefined },
  provider: Provider = {},
): Asked {
  const { wish: given, subject, actor } = order;
  return {
    audiences: list(given.audience),
    resources: list(given.resource),
    scopes: list(given.scope).flatMap((value) => value.split(' ')),
    requestedTokenType: given.requestedTokenType,
    opaqueAllowed: given.allowOpaqueIssued ?? false,
    unchecked: given.unchecked ?? [],
    sent: [subject.token, ...(actor ? [actor.token] : [])],
    subject: subject.claims,
    actor: actor?.claims,
    now: NOW,
    provider,
  };
}

/** Claims of a token that is right in every way. */
export function rightClaims({
  audiences,
  resources,
  scopes,
  subject,
  actor,
}: Asked): Record<string, unknown> {
  const places = audiences.length > 0 ? audiences : resources;
  return {
    iss: 'https://sts.example.com',
    sub: subject.sub ?? 'alice',
    oid: subject.oid,
    aud: places.length === 1 ? places[0] : places.length === 0 ? 'anything' : places,
    exp: NOW_SECONDS + 300,
    scope: scopes.length > 0 ? scopes.join(' ') : undefined,
    act: actor && { sub: actor.sub ?? 'an agent' },
  };
}
