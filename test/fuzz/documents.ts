import fc from 'fast-check';
import { answerBend, answerOf, RIGHT, type Wrapping } from './answers.ts';
import { type Change, changed, changesOf, membersOf, objectText } from './json-text.ts';
import type { Answer } from './reference.ts';
import { type Configured, wellKnown } from './reference-metadata.ts';
import { urlsLike } from './urls.ts';

/** A discovery, and the documents that are found. */
export interface Discovery {
  readonly configured: Configured;
  /** Whose metadata it is, but for how that is bent. */
  readonly issuer: string;
  /** URL of the metadata, where it is not the issuer's. */
  readonly metadataUrl: string | undefined;
  /** At the first well-known place and at the second. */
  readonly documents: readonly [DocumentBend, DocumentBend];
}

/** How a metadata document differs from the right one. */
export interface DocumentBend {
  readonly members: readonly Change[];
  readonly wrapping: Wrapping;
}

/** Where an STS may be, and whether it may be asked in clear text. */
const ISSUERS: readonly (readonly [issuer: string, insecure: boolean])[] = [
  ['https://sts.example.com', false],
  ['https://sts.example.com/realms/one', false],
  ['https://sts.example.com:8443/', false],
  ['https://[2001:db8::1]/tenant', false],
  ['https://localhost', false],
  ['http://127.0.0.1:8080', false],
  ['http://localhost', false],
  ['http://sts.internal', true],
  ['https://sts.internal', true],
];
const HOSTS = ['sts.internal:8443', '127.0.0.1:9000', '[::1]', 'STS.example.com'];

const NEAR: Readonly<Record<string, readonly unknown[]>> = {
  mtls_endpoint_aliases: [{ token_endpoint: 'https://evil.example.net/token' }, null, 5],
  token_endpoint_auth_methods_supported: ['none', [5], null],
  grant_types_supported: [[], ['authorization_code'], 5],
  authorization_endpoint: ['https://evil.example.net/authorize'],
  jwks_uri: ['https://evil.example.net/keys'],
};

function members(issuer: string): fc.Arbitrary<readonly Change[]> {
  const base = new URL(issuer);
  const url = (name: string): fc.Arbitrary<Change> =>
    urlsLike(base).map((value) => ({ how: 'set', name, value: JSON.stringify(value) }));
  const near = [
    issuer,
    base.href,
    `${issuer}/`,
    issuer.toUpperCase(),
    `${issuer}?`,
    `${issuer}#`,
    [issuer],
    null,
    5,
  ];
  const others = fc.oneof(
    { arbitrary: fc.constant([]), weight: 3 },
    url('issuer').map((one) => [one]),
    changesOf({ ...NEAR, issuer: near, token_endpoint: near }, 2),
  );
  return fc
    .tuple(fc.option(url('token_endpoint'), { nil: undefined }), others)
    .map(([endpoint, more]) => (endpoint ? [endpoint, ...more] : more));
}

const wrapping: fc.Arbitrary<Wrapping> = fc.oneof(
  { arbitrary: fc.constant(RIGHT), weight: 4 },
  answerBend,
  fc.constant<Wrapping>({ ...RIGHT, status: 404, body: 'page' }),
);

const documentLike = (issuer: string): fc.Arbitrary<DocumentBend> =>
  fc.record({
    members: members(issuer),
    wrapping: wrapping.map(({ status, contentType, headers, body }) => ({
      status,
      contentType,
      headers,
      body,
    })),
  });

export const discovery: fc.Arbitrary<Discovery> = fc
  .record({
    issuer: fc.constantFrom(...ISSUERS),
    how: fc.constantFrom(
      'issuer',
      'its first place',
      'its second place',
      'another place',
      'issuer and place',
    ),
    host: fc.oneof({ arbitrary: fc.constant(undefined), weight: 4 }, fc.constantFrom(...HOSTS)),
  })
  .chain(({ issuer: [issuer, insecure], how, host }) => {
    const [first = '', second = ''] = wellKnown(new URL(issuer));
    const elsewhere = new URL('/metadata?key=fake', issuer).href;
    const places = { issuer: undefined, 'its first place': first, 'its second place': second };
    const metadataUrl = how in places ? places[how as keyof typeof places] : elsewhere;
    const known = how.startsWith('issuer') ? issuer : undefined;
    const configured = { issuer: known, source: metadataUrl ?? issuer, host, insecure };
    const documents = fc.tuple(documentLike(issuer), documentLike(issuer));
    return documents.map((found) => ({ configured, issuer, metadataUrl, documents: found }));
  });

/** The metadata of an issuer, but for how it is bent. */
export function documentOf({ members, wrapping }: DocumentBend, issuer: string): Answer {
  const right = membersOf({ issuer, token_endpoint: `${new URL(issuer).origin}/token` });
  return answerOf(objectText(changed(right, members)), wrapping);
}
