// The same inside an ADK agent: timed within the tool's own `runAsync`, in runs of ten calls.
import { setLogger } from '@google/adk';
import { subjectToken } from '../broker/token-endpoint.ts';
import { bareClient, type Contender, ours } from '../contenders.ts';
import { median } from '../stats.ts';
import { brokerOf, type McpServers } from './servers.ts';

const WARM_UP = 10;
const ROUNDS = 50;

/** Medians; milliseconds. */
export interface AdkTool {
  readonly ours: number;
  readonly bare: number;
  /** Of the medians that both had in the same round. */
  readonly ratio: number;
}

export async function benchAdkTool(servers: McpServers, on: 'sdk' | 'plain'): Promise<AdkTool> {
  setLogger(null);
  const server = { url: servers.urls[on], audience: 'calendar' };
  const contenders = {
    // As in `npm run bench -- adk`, the user's runs follow each other, and their token stays.
    ours: ours(server, brokerOf(servers, { retention: 'subject' })),
    bare: await bareClient(server),
  };
  const medians: Record<keyof typeof contenders, number[]> = { ours: [], bare: [] };
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    const order = round % 2 === 0 ? (['ours', 'bare'] as const) : (['bare', 'ours'] as const);
    for (const name of order) {
      const inside = await insideOf(contenders[name]);
      if (round >= 0) medians[name].push(median(inside));
    }
  }
  await Promise.all(Object.values(contenders).map((contender) => contender.close()));
  return {
    ours: median(medians.ours),
    bare: median(medians.bare),
    ratio: median(medians.ours.map((time, round) => time / (medians.bare[round] as number))),
  };
}

async function insideOf(contender: Contender): Promise<number[]> {
  const { failure } = await contender.run({ sub: 'alice', subjectToken: subjectToken('alice') }, '10 calls');
  if (failure !== undefined) throw new Error(`a run of ADK failed: ${failure}`);
  return contender.takeCalls().flatMap(({ inside }) => inside ?? []);
}
