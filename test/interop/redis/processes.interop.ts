import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { granting, startPlainSts, subjectJwt } from '../../support/sts.ts';
import { STORE_KEYS, startRedisForTest } from './replicas.ts';

const binary = inject('redis');
const PROCESSES = 8;
const AUDIENCES = ['calendar', 'files', 'notes'];

describe.skipIf(binary === undefined)('processes on one Redis', () => {
  test('eight make as many exchanges as one, and have the same tokens', async () => {
    const server = await startRedisForTest(binary);
    const sts = await startPlainSts();
    const workers = await Promise.all(
      Array.from({ length: PROCESSES }, () => startWorker(server.port, `${sts.host}`)),
    );
    const [alone] = workers as [Worker];
    await alone.ask(subjects(4), AUDIENCES);
    const ofOne = sts.exchanges;
    expect(ofOne).toBe(4 * AUDIENCES.length);

    const subjectTokens = subjects(4);
    const answers = await Promise.all(workers.map((worker) => worker.ask(subjectTokens, AUDIENCES)));
    expect(sts.exchanges - ofOne).toBe(ofOne);
    const [first] = answers;
    expect(new Set(first?.digests).size).toBe(ofOne);
    for (const { digests } of answers) expect(digests).toEqual(first?.digests);
  });

  test('a process that is killed in the middle of an exchange holds up the others for a lease at the most', async () => {
    const server = await startRedisForTest(binary);
    const sts = await startPlainSts();
    const [killed, ...others] = await Promise.all(
      Array.from({ length: 4 }, () => startWorker(server.port, sts.host)),
    );
    const subjectTokens = subjects(1);
    sts.handle(() => {});
    killed?.ask(subjectTokens, ['calendar']).catch(() => {});
    await sts.arrived(1);
    sts.handle(granting());
    await killed?.kill();
    const answers = await Promise.all(others.map((worker) => worker.ask(subjectTokens, ['calendar'])));
    expect(new Set(answers.map(({ digests }) => digests[0])).size).toBe(1);
    expect(sts.exchanges).toBe(2);
  });
});

interface Answer {
  readonly digests: readonly string[];
}

interface Worker {
  /** Has the process get a token for each subject and audience, all at once. */
  ask(subjectTokens: readonly string[], audiences: readonly string[]): Promise<Answer>;
  kill(): Promise<void>;
}

async function startWorker(redisPort: number, stsHost: string): Promise<Worker> {
  const child = fork(fileURLToPath(new URL('worker.mjs', import.meta.url)));
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  onTestFinished(kill);
  await exchange(child, { redisPort, tokenEndpoint: `http://${stsHost}/token`, keys: STORE_KEYS });
  return {
    ask: async (subjectTokens, audiences) =>
      (await exchange(child, { subjectTokens: [...subjectTokens], audiences: [...audiences] })) as Answer,
    kill,
  };
}

/** Sends a message and resolves with the next one that comes back. */
async function exchange(child: ChildProcess, message: object): Promise<unknown> {
  const ended = once(child, 'exit').then(() => {
    throw new Error('the process ended');
  });
  const answered = once(child, 'message');
  child.send(message);
  const [answer] = await Promise.race([answered, ended]);
  return answer;
}

let made = 0;
/** Subject tokens that were never seen before. */
const subjects = (count: number): readonly string[] =>
  Array.from({ length: count }, () => subjectJwt(`user ${made++}`));
