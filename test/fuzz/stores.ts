import fc from 'fast-check';
import type { SharedStore } from '../../src/broker/shared-store.ts';
import { writeSharedToken } from '../../src/broker/shared-token.ts';
import { issuedToken } from '../../src/core/issued-token.ts';
import { type Change, changed, changesOf, membersOf, objectText } from './json-text.ts';
import type { Asked } from './reference.ts';
import { bentToken, NEAR_CLAIMS, type TokenBend, tokenBend } from './tokens.ts';
import { ACTORS, NOW, rightClaims, SUBJECTS, TYPES } from './world.ts';

/** A value as it may be found in a store, and how the store itself behaves. */
export interface StoreBend {
  readonly value: ValueBend | { readonly raw: unknown };
  readonly get: 'right' | 'throws' | 'rejects' | 'no promise' | 'hangs';
  readonly lease: keyof typeof LEASES;
  readonly write: 'right' | 'throws' | 'rejects' | 'no promise';
}

interface ValueBend {
  readonly token: TokenBend;
  readonly members: readonly Change[];
}

const release = async (): Promise<void> => {};
const fail = (): never => {
  throw new Error('the store is down');
};

/** What a lease may be; the first is given at the first time, the second from then on. */
const LEASES = {
  right: [{ release }],
  'without a way to give it back': [{}],
  'not to be given back': [{ release: fail }],
  'rejects when it is given back': [{ release: async () => fail() }],
  'a number': [5],
  'held by another for a while': [undefined, { release }],
  'null for a while': [null, { release }],
  fails: [],
} as const satisfies Readonly<Record<string, readonly unknown[]>>;

const tokens = [...SUBJECTS, ...ACTORS].flatMap((party) => (party ? [party.token] : []));
const NEAR: Readonly<Record<string, readonly unknown[]>> = {
  accessToken: ['', ' ', 'a token', 'fake-token\n', 'fake-opaque-token-of-somebody', null, 5, ...tokens],
  issuedTokenType: [...Object.values(TYPES), '', 'urn:example:odd', null, [TYPES.accessToken]],
  scope: NEAR_CLAIMS.scope ?? [],
  usableUntil: [
    NOW - 1,
    NOW,
    NOW + 1,
    NOW + 1000,
    NOW + 86_400_000,
    1e300,
    -1,
    '1900000000000',
    null,
    [NOW + 1000],
  ],
  expiresInMs: [0, 1, 300_000, -1, '300000', null, 1e300],
  refreshAt: [0, NOW, NOW + 1, null, 'never', 1e300, -1],
};

const usually = <T>(usual: T, weight: number, other: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(usual), weight }, fc.constantFrom(...other));

export const storeBend: fc.Arbitrary<StoreBend> = fc.record({
  value: fc.oneof(
    { arbitrary: fc.record({ token: tokenBend, members: changesOf(NEAR, 2) }), weight: 8 },
    fc.oneof(fc.anything(), fc.json(), fc.string({ unit: 'binary' })).map((raw) => ({ raw })),
  ),
  // What hangs costs time, so it is seldom.
  get: usually('right' as StoreBend['get'], 100, [
    'throws',
    'rejects',
    'no promise',
    'throws',
    'rejects',
    'no promise',
    'hangs',
  ]),
  lease: usually<StoreBend['lease']>('right', 40, Object.keys(LEASES) as (keyof typeof LEASES)[]),
  write: usually<StoreBend['write']>('right', 10, ['throws', 'rejects', 'no promise']),
});

/** What is found in the store. */
export function storedValue({ value }: StoreBend, asked: Asked): unknown {
  if ('raw' in value) return value.raw;
  const { requestedTokenType = TYPES.accessToken, scopes } = asked;
  const typ = requestedTokenType === TYPES.idJag ? 'oauth-id-jag+jwt' : undefined;
  const text = writeSharedToken({
    token: issuedToken(bentToken(rightClaims(asked), value.token, typ), {
      issuedTokenType: requestedTokenType,
      expiresInMs: undefined,
      scope: scopes.length > 0 ? scopes.join(' ') : undefined,
    }),
    usableUntil: NOW + 200_000,
    refreshAt: NOW + 150_000,
  });
  return objectText(changed(membersOf(JSON.parse(text)), value.members));
}

/** A store that gives this value for any key. */
export function storeOf(bend: StoreBend, value: unknown): SharedStore {
  const leases: readonly unknown[] = LEASES[bend.lease];
  let asked = 0;
  const write = (): Promise<void> => {
    if (bend.write === 'throws') fail();
    return bend.write === 'no promise'
      ? (undefined as never)
      : bend.write === 'rejects'
        ? Promise.reject(new Error('down'))
        : release();
  };
  return {
    get() {
      if (bend.get === 'throws') fail();
      if (bend.get === 'rejects') return Promise.reject(new Error('down'));
      if (bend.get === 'hangs') return new Promise(() => {});
      return (bend.get === 'no promise' ? value : Promise.resolve(value)) as Promise<string>;
    },
    set: write,
    delete(_key, matches) {
      matches(value as string);
      return write();
    },
    async lease() {
      if (leases.length === 0) fail();
      const given = leases[Math.min(asked, leases.length - 1)];
      asked += 1;
      return given as Awaited<ReturnType<SharedStore['lease']>>;
    },
  };
}
