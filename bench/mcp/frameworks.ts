// The frameworks, each with and without Onbehalf. They need a Node 24 and packages of their own, so a program measures them
// that is run as it is written.
import { type Finding, ms, times } from '../findings.ts';
import { onNode24 } from '../on-node-24.ts';
import type { McpServers } from './servers.ts';

const PROGRAM = 'bench/mcp/frameworks/start.ts';

/** What the program prints for each framework; medians, in microseconds. */
export interface FrameworkTimes {
  readonly name: string;
  readonly ours: number;
  readonly bare: number;
  /** Of the medians that both had in the same round. */
  readonly ratio: number;
  /** Likewise, of the CPU time of the client's process. */
  readonly cpuRatio: number;
}

export async function benchFrameworks(
  { tokenEndpoint, urls }: McpServers,
  progress: (line: string) => void,
): Promise<Finding[]> {
  progress('frameworks: installing them, if they are not there yet, and a Node 24');
  const env = { BENCH_TOKEN_ENDPOINT: tokenEndpoint, BENCH_URL: urls.sdk };
  return ((await onNode24(PROGRAM, env)) as FrameworkTimes[]).map(
    ({ name, ours, bare, ratio, cpuRatio }) => ({
      what: `tool call p50, ${name}, at a server of the SDK (event streams)`,
      ours: `${times(ratio)} (CPU time of the client ${times(cpuRatio)})`,
      peer: `${ms(bare / 1000)} with no token and no Onbehalf, ${ms(ours / 1000)} with`,
      ...{ budget: '', met: undefined },
    }),
  );
}
