import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import type { Target } from '../../../src/core/target.ts';
import { startPlainSts, subjectJwt } from '../../support/sts.ts';
import { connect, type Replica, startRedisForTest, startReplicas } from './replicas.ts';

const binary = inject('redis');
const SUBJECTS = ['alice.wonder@example.com', 'bob.builder@example.com'];
const TARGETS: readonly Target[] = [
  { audience: 'calendar-server' },
  { resource: 'https://files.example.com/mcp', scope: ['files.read', 'files.write'] },
];
/** What names a subject, a target, a client or an address. */
const NAMES = [
  ...SUBJECTS,
  ...['calendar-server', 'files.example.com', 'files.read', 'files.write'],
  ...['sts.example.com', 'idp.example.com', '127.0.0.1', 'agent'],
];

describe.skipIf(binary === undefined)('what is in Redis', () => {
  test('no name, value or command holds any part of a token, a subject, a target or an address', async () => {
    const { replicas, client, commands } = await watchedReplicas();
    const secrets = [...NAMES];
    for (const sub of SUBJECTS) {
      const subjectToken = subjectJwt(sub);
      const tokens = await tokensOf(replicas, subjectToken);
      secrets.push(...[subjectToken, ...tokens].flatMap(partsOf));
    }
    const stored = await dump(client);
    expect(stored.size).toBe(SUBJECTS.length * TARGETS.length);
    const seen = JSON.stringify([[...stored], await commands()]);
    for (const secret of secrets) {
      // Not `not.toContain`: its own message would print both.
      expect(seen.includes(secret), `${secret.slice(0, 6)}... is in Redis`).toBe(false);
      expect(seen.includes(Buffer.from(secret).toString('base64url').slice(0, -2))).toBe(false);
    }
  });

  test('every key has a time to live, and a lease is given back', async () => {
    const { replicas, client, commands } = await watchedReplicas();
    await tokensOf(replicas, subjectJwt('alice'));
    for (const [name] of await dump(client)) {
      expect(name).toMatch(/^onbehalf:[\w-]{43}$/);
      const ms = await client.pttl(name);
      expect(ms).toBeGreaterThan(0);
      expect(ms).toBeLessThanOrEqual(300_000);
    }
    const writes = (await commands()).filter(([command]) => command === 'set');
    expect(writes.length).toBeGreaterThanOrEqual(2 * TARGETS.length);
    for (const write of writes)
      expect(write.slice(3, 5)).toEqual(['PX', expect.stringMatching(/^[1-9]\d*$/)]);
  });

  test('every command has one key, so that a cluster can run it', async () => {
    const { replicas, client, commands } = await watchedReplicas();
    const subjectToken = subjectJwt('alice');
    const [token = ''] = await tokensOf(replicas, subjectToken);
    const [{ broker }] = replicas as [Replica];
    broker.reject(broker.begin({ subjectToken }), TARGETS[0] as Target, token);
    await expect.poll(async () => (await dump(client)).size).toBe(TARGETS.length - 1);
    const sent = await commands();
    expect(new Set(sent.map(([command]) => command))).toEqual(new Set(['get', 'set', 'eval']));
    for (const command of sent) {
      expect(await client.call('COMMAND', 'GETKEYS', ...command)).toHaveLength(1);
    }
  });
});

/** The parts of a JWT, each of which would tell something. */
const partsOf = (token: string): readonly string[] => token.split('.').filter((part) => part.length >= 8);

/** Three replicas on one server, and all that they send to it. */
async function watchedReplicas(): Promise<{
  readonly replicas: readonly Replica[];
  readonly client: Redis;
  readonly commands: () => Promise<readonly (readonly string[])[]>;
}> {
  const server = await startRedisForTest(binary);
  const client = await connect(server.port);
  const monitor = await client.monitor();
  onTestFinished(() => monitor.disconnect());
  const sent: string[][] = [];
  monitor.on('monitor', (_time, args: string[], source: string) => {
    // What a script does itself is not sent by anybody.
    if (source !== 'lua') sent.push(args);
  });
  const sts = await startPlainSts();
  const replicas = await startReplicas(3, sts.service, () => connect(server.port));
  return {
    replicas,
    client,
    async commands() {
      const mark = `mark ${sent.length}`;
      await client.echo(mark);
      while (!sent.some(([, text]) => text === mark)) await delay(5);
      return sent.filter(([name = '']) => ['get', 'set', 'eval', 'del'].includes(name.toLowerCase()));
    },
  };
}

async function tokensOf(replicas: readonly Replica[], subjectToken: string): Promise<readonly string[]> {
  const all = replicas.map(async ({ broker }) => {
    const delegation = broker.begin({ subjectToken });
    const tokens = TARGETS.map((target) => broker.token(delegation, target));
    return (await Promise.all(tokens)).map(({ accessToken }) => accessToken);
  });
  const [first = [], ...others] = await Promise.all(all);
  // What they share is what is in Redis.
  for (const other of others) expect(other).toEqual(first);
  return first;
}

/** Everything in the server. */
async function dump(client: Redis): Promise<Map<string, string | null>> {
  const names = await client.keys('*');
  return new Map(await Promise.all(names.map(async (name) => [name, await client.get(name)] as const)));
}
