// What many users, many targets and much time cost in exchanges and waiting.
import { createBroker, createTokenService } from 'onbehalf';
import { median } from '../stats.ts';
import { startTokenEndpoint, subjectToken } from './token-endpoint.ts';

const TARGETS = ['calendar', 'mail', 'files', 'notes'] as const;

/** 1,000 delegations of 100 users ask for 4 targets, all at once. @returns how many exchanges that made */
export async function benchCrowd(): Promise<number> {
  const endpoint = await startTokenEndpoint();
  const tokenService = createTokenService({ tokenEndpoint: endpoint.url, clientId: 'bench-agent' });
  const broker = createBroker({ tokenService, retention: 'subject' });
  const subjects = Array.from({ length: 100 }, (_, index) => subjectToken(`user-${index}`));
  const runs = Array.from({ length: 1000 }, (_, index) =>
    broker.begin({ subjectToken: subjects[index % 100], session: `session-${index}` }),
  );
  await Promise.all(runs.flatMap((run) => TARGETS.map((target) => broker.token(run, target))));
  broker.close();
  await endpoint.close();
  return endpoint.requests;
}

/** Eight targets at once, with an STS that takes 50 ms. @returns milliseconds until all are there, and the median of one alone */
export async function benchParallel(): Promise<{ together: number; alone: number }> {
  const endpoint = await startTokenEndpoint({ latencyMs: 50 });
  const tokenService = createTokenService({ tokenEndpoint: endpoint.url, clientId: 'bench-agent' });
  const broker = createBroker({ tokenService });
  const run = broker.begin({ subjectToken: subjectToken('alice') });
  const time = async (targets: readonly string[]): Promise<number> => {
    const start = performance.now();
    await Promise.all(targets.map((target) => broker.token(run, target)));
    return performance.now() - start;
  };
  const together: number[] = [];
  const alone: number[] = [];
  for (let round = 0; round < 12; round += 1) {
    alone.push(await time([`one-${round}`]));
    together.push(await time(Array.from({ length: 8 }, (_, index) => `target-${round}-${index}`)));
  }
  broker.close();
  await endpoint.close();
  // The first round opens connections.
  return { together: median(together.slice(1)), alone: median(alone.slice(1)) };
}

export interface Steady {
  /** Requests for a token in all. */
  readonly requests: number;
  /** Those that had to wait, after the first. */
  readonly waited: number;
  readonly exchanges: number;
}

/** Steady use over ten lifetimes of a token that lasts a second, with an STS that takes 50 ms. */
export async function benchSteady(): Promise<Steady> {
  const endpoint = await startTokenEndpoint({ latencyMs: 50, expiresIn: 1 });
  const tokenService = createTokenService({ tokenEndpoint: endpoint.url, clientId: 'bench-agent' });
  let waited = 0;
  const observer = {
    lookUp: ({ result }: { result: string }) => {
      if (result !== 'hit') waited += 1;
    },
  };
  const broker = createBroker({ tokenService, observer });
  const run = broker.begin({ subjectToken: subjectToken('alice') });
  await broker.token(run, 'calendar');
  waited = 0;
  let requests = 0;
  await new Promise<void>((resolve, reject) => {
    const end = performance.now() + 10_000;
    const timer = setInterval(() => {
      requests += 1;
      broker.token(run, 'calendar').catch(reject);
      if (performance.now() < end) return;
      clearInterval(timer);
      resolve();
    }, 5);
  });
  broker.close();
  await endpoint.close();
  return { requests, waited, exchanges: endpoint.requests };
}
