// A process of its own: how much memory 100,000 kept tokens take. Run with --expose-gc; prints one number, bytes an entry.
import { setImmediate } from 'node:timers/promises';
import { createBroker, createTokenService } from 'onbehalf';
import { grantInProcess, subjectToken } from './token-endpoint.ts';

const USERS = 1_000;
const TARGETS = Array.from({ length: 100 }, (_, index) => `audience-${index}`);
const ENTRIES = USERS * TARGETS.length;

const tokenService = createTokenService({
  tokenEndpoint: 'http://127.0.0.1:9/token',
  clientId: 'bench-agent',
  fetch: grantInProcess,
});
const broker = createBroker({ tokenService, retention: 'subject', maxEntries: ENTRIES });

/** What is no longer needed goes in turns: weak references are kept until the next, and finalizers have one of their own. */
async function memory(): Promise<number> {
  for (let times = 0; times < 8; times += 1) {
    await setImmediate();
    globalThis.gc?.();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function fill(users: number, from: number): Promise<number> {
  let tokenBytes = 0;
  for (let index = from; index < from + users; index += 1) {
    const run = broker.begin({ subjectToken: subjectToken(`user-${index}`) });
    for (const target of TARGETS) tokenBytes += (await broker.token(run, target)).accessToken.length;
    broker.end(run);
    // Without a network nothing else would let the event loop turn.
    await setImmediate();
  }
  return tokenBytes;
}

// What is made once, and the code, is not an entry's.
await fill(2, USERS);
const before = await memory();
const tokenBytes = await fill(USERS - 2, 0);
const entries = broker.stats().entries - 2 * TARGETS.length;
const bytes = ((await memory()) - before - tokenBytes) / entries;
process.stdout.write(`${JSON.stringify({ entries, bytes })}\n`);
broker.close();
