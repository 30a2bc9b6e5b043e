import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createActorCache } from '../../src/broker/actor-cache.ts';
import type { DelegationRecord } from '../../src/broker/delegation.ts';
import { createKeyring } from '../../src/broker/key.ts';
import { createTokenKeys, type TokenKeys } from '../../src/broker/token-key.ts';
import { type Check, resolveTarget, type Target } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import { securityToken, TOKEN_TYPE } from '../../src/core/token-types.ts';
import { createClock } from '../support/clock.ts';
import { fakeJwt } from '../support/jwt.ts';
import { json, startLoopback } from '../support/loopback.ts';
import { subjectJwt } from '../support/sts.ts';

const KEYRING = createKeyring();

const serviceAt = (clientId: string, path: string, dialect?: string, issuer?: string): TokenService =>
  createTokenService({
    ...{ tokenEndpoint: `https://sts.example.com/${path}`, clientId, issuer },
    dialect: dialect === undefined ? undefined : { name: dialect },
  });

const recordOf = (token: string, type: string = TOKEN_TYPE.accessToken, keyPart = ''): DelegationRecord => ({
  subject: securityToken(token, type),
  claims: { aud: [] },
  subjectDigest: KEYRING.digest(token),
  group: { label: '', id: '', keyPart, keys: new Set(), runs: new Map(), ended: false },
  endsAt: 0,
  ended: false,
  keys: new WeakMap(),
});

/** Everything that tells one token from another. */
interface Wanted {
  readonly tenant: string;
  readonly generation: string;
  readonly dialect: string | undefined;
  readonly path: string;
  readonly clientId: string;
  readonly group: string;
  readonly subject: string;
  readonly subjectType: string;
  readonly actor: string | undefined;
  readonly target: {
    readonly audience: readonly string[];
    readonly resource: readonly string[];
    readonly scope: readonly string[];
    readonly requestedTokenType: string | undefined;
    readonly profile: 'rfc8693' | 'entra-obo' | undefined;
    readonly allowOpaqueIssued: boolean;
    readonly unchecked: readonly Check[];
  };
  /** Of the resource; with one, the profile is `id-jag`. */
  readonly server:
    | {
        readonly path: string;
        readonly clientId: string;
        readonly dialect: string | undefined;
        readonly issuer: string | undefined;
      }
    | undefined;
}

/** Few values, made of what parts are joined with, so that two of them are often alike or nearly so. */
const name = fc.constantFrom('a', 'b', 'a/b', 'b/', '/a', 'a:1');
const optionalName = fc.option(name, { nil: undefined });
const wanted: fc.Arbitrary<Wanted> = fc.record({
  tenant: name,
  generation: name,
  dialect: optionalName,
  path: fc.constantFrom('a', 'b'),
  clientId: name,
  group: name,
  subject: fc.constantFrom('subject-a', 'subject-b'),
  subjectType: fc.constantFrom(TOKEN_TYPE.accessToken, TOKEN_TYPE.jwt),
  actor: fc.option(fc.constantFrom('agent', 'robot'), { nil: undefined }),
  target: fc.record({
    audience: fc.array(name, { minLength: 1, maxLength: 2 }),
    resource: fc.array(fc.constantFrom('urn:a', 'urn:b'), { maxLength: 2 }),
    scope: fc.uniqueArray(fc.constantFrom('a', 'b', 'opaque'), { maxLength: 2 }),
    requestedTokenType: optionalName,
    profile: fc.constantFrom('rfc8693', 'entra-obo', undefined),
    allowOpaqueIssued: fc.boolean(),
    unchecked: fc.uniqueArray(fc.constantFrom<Check>('audience', 'scope', 'actor'), { maxLength: 3 }),
  }),
  server: fc.option(
    fc.record({
      path: fc.constantFrom('c', 'd'),
      clientId: name,
      dialect: optionalName,
      issuer: fc.constantFrom('https://a.example.com', 'https://b.example.com', undefined),
    }),
    { nil: undefined },
  ),
});

/** What it says, however it was spelt. */
const spelt = ({ target, server, ...rest }: Wanted): string => {
  const { scope, unchecked, profile = 'rfc8693', ...more } = target;
  const sorted = { scope: [...scope].sort(), unchecked: [...unchecked].sort() };
  return JSON.stringify([rest, more, sorted, server ?? profile], (_key, value) => value ?? null);
};

/** The keys of what is wanted, in this process and between processes. */
async function keysOf(one: Wanted): Promise<readonly [string, string]> {
  const { server, actor: sub } = one;
  const clock = createClock();
  const actors =
    sub === undefined
      ? undefined
      : createActorCache(() => fakeJwt({ sub }), KEYRING, { now: clock.now, deadlineMs: 30_000 });
  const actor = await actors?.current();
  const keys: TokenKeys = createTokenKeys({
    ...{ keyring: KEYRING, actors, tenant: one.tenant, generation: one.generation },
    tokenService: serviceAt(one.clientId, one.path, one.dialect),
  });
  const authorizationServer =
    server && serviceAt(server.clientId, server.path, server.dialect, server.issuer);
  const profile = server ? 'id-jag' : one.target.profile;
  const target = resolveTarget({ ...one.target, profile, authorizationServer });
  const record = recordOf(one.subject, one.subjectType, one.group);
  return [keys.local(record, target), keys.shared(record, target, actor)];
}

const changed = fc
  .tuple(
    wanted,
    wanted,
    fc.subarray<keyof Wanted>(
      [
        'tenant',
        'generation',
        'dialect',
        'path',
        'clientId',
        'group',
        'subject',
        'subjectType',
        'actor',
        'target',
        'server',
      ],
      { maxLength: 2 },
    ),
  )
  .map(
    ([one, other, names]) =>
      [one, { ...one, ...Object.fromEntries(names.map((each) => [each, other[each]])) } as Wanted] as const,
  );

test('what is wanted has the same key as something else if nothing tells them apart, and only then', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(changed, fc.tuple(wanted, wanted)), async ([one, two]) => {
      const [first, second] = [await keysOf(one), await keysOf(two)];
      const same = spelt(one) === spelt(two);
      expect(first[0] === second[0]).toBe(same);
      expect(first[1] === second[1]).toBe(same);
    }),
    { numRuns: 400 },
  );
});

const TARGET = resolveTarget('calendar');

test('the names of two dialects do not run into each other', async () => {
  const tokenEndpoint = 'https://sts.example.com/a';
  const at = (dialect: string, server: string): string => {
    const tokenService = createTokenService({ tokenEndpoint, clientId: 'agent', dialect: { name: dialect } });
    const authorizationServer = serviceAt('agent', 'c', server);
    const keys = createTokenKeys({ keyring: KEYRING, tokenService, actors: undefined });
    const target: Target = { resource: 'urn:x', profile: 'id-jag', authorizationServer };
    return keys.local(recordOf('subject'), resolveTarget(target));
  };
  expect(at('a/b', 'c')).not.toBe(at('a', 'b/c'));
});

test('keys between processes are the same in all of them, those within one are its own', () => {
  const subject = subjectJwt('alice');
  const process = (): readonly [string, string] => {
    const keyring = createKeyring();
    const keys = createTokenKeys({ keyring, tokenService: serviceAt('agent', 'a'), actors: undefined });
    const record = { ...recordOf(subject), subjectDigest: keyring.digest(subject) };
    return [keys.local(record, TARGET), keys.shared(record, TARGET, undefined)];
  };
  const [one, two] = [process(), process()];
  expect(one[0]).not.toBe(two[0]);
  expect(one[1]).toBe(two[1]);
  expect(one[1]).not.toBe(one[0]);
});

describe('a key within a process', () => {
  test('is computed once for a delegation and a target', () => {
    let computed = 0;
    const keyring = {
      ...KEYRING,
      key: (...parts: Parameters<typeof KEYRING.key>) => {
        computed += 1;
        return KEYRING.key(...parts);
      },
    };
    const keys = createTokenKeys({ keyring, tokenService: serviceAt('agent', 'a'), actors: undefined });
    const record = recordOf('subject');
    const first = keys.local(record, TARGET);
    for (let times = 0; times < 5; times++) expect(keys.local(record, TARGET)).toBe(first);
    expect(computed).toBe(1);
    keys.local(recordOf('subject'), TARGET);
    keys.local(record, resolveTarget('files'));
    expect(computed).toBe(3);
  });

  test('is another one for another actor, also where that is named', async () => {
    const clock = createClock();
    let sub = 'agent';
    const actors = createActorCache(() => fakeJwt({ sub }), KEYRING, { now: clock.now, deadlineMs: 30_000 });
    const keys = createTokenKeys({ keyring: KEYRING, tokenService: serviceAt('agent', 'a'), actors });
    const record = recordOf('subject');
    const nobody = keys.local(record, TARGET);
    const agent = (await actors.current()).identity;
    const first = keys.local(record, TARGET);
    expect(first).not.toBe(nobody);
    sub = 'robot';
    clock.advance(60_000);
    await actors.current();
    expect(keys.local(record, TARGET)).not.toBe(first);
    expect(keys.local(record, TARGET, agent)).toBe(first);
    expect(keys.local(record, TARGET, '')).toBe(nobody);
  });

  test('is another one once an endpoint is known, of the STS or of the resource’s server', async () => {
    const server = await startLoopback((_request, response) => {
      json(response, { issuer: server.origin, token_endpoint: `${server.origin}/token` });
    });
    const discovered = (): TokenService => createTokenService({ issuer: server.origin, clientId: 'agent' });
    const [tokenService, authorizationServer] = [discovered(), discovered()];
    const keys = createTokenKeys({ keyring: KEYRING, tokenService, actors: undefined });
    const target = resolveTarget({ resource: 'urn:x', profile: 'id-jag', authorizationServer });
    const record = recordOf('subject');
    const seen = [keys.local(record, target)];
    await tokenService.discover();
    seen.push(keys.local(record, target));
    await authorizationServer.discover();
    seen.push(keys.local(record, target));
    expect(new Set(seen).size).toBe(3);
  });
});
