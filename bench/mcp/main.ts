// The MCP bench: its scenarios one after another, and what the numbers say.
import { type Finding, ms, times, us } from '../findings.ts';
import { type AdkTool, benchAdkTool } from './adk-tool.ts';
import { benchCrowd, type Crowd, startBare, startPooled, startShared, TARGETS, USERS } from './crowd.ts';
import { startAdk } from './crowd-adk.ts';
import { benchFrameworks } from './frameworks.ts';
import type { Rounds } from './rounds.ts';
import { type McpServers, startMcpServers } from './servers.ts';
import { benchToolCalls, type ToolCallName } from './tool-calls.ts';
import { benchWrapper, type Wrapper } from './wrapper.ts';

const OVERHEAD_US = 5;
const RATIO = 1.15;
const MOST_SESSIONS = 100;
/** So that a noisy machine shows as time, and not as a wait that was given up. */
const WAIT_MS = 120_000;

const SERVER = {
  sdk: 'a server of the SDK (event streams)',
  plain: 'a server by hand (JSON, as quick as can be)',
} as const;

/**
 * @param progress - told what is being measured
 * @param options - `frameworks`: also measure the clients that the repository's own packages do not have
 */
export async function benchMcp(
  progress: (line: string) => void,
  { frameworks }: { readonly frameworks: boolean },
): Promise<Finding[]> {
  const findings: Finding[] = [];
  progress('the delegated fetch alone');
  findings.push(...wrapperFindings(await benchWrapper()));
  const servers = await startMcpServers();
  try {
    for (const on of ['sdk', 'plain'] as const) {
      progress(`tool calls at ${SERVER[on]}`);
      const rounds = await benchToolCalls(servers, on);
      findings.push(...callFindings(SERVER[on], rounds));
      findings.push(adkFinding(SERVER[on], await benchAdkTool(servers, on)));
    }
    findings.push(...(await crowds(servers, progress)));
    if (frameworks) findings.push(...(await benchFrameworks(servers, progress)));
    else findings.push(leftOut());
  } finally {
    await servers.close();
  }
  return findings;
}

function wrapperFindings({ cases, parts }: Wrapper): Finding[] {
  const found = Object.entries(cases).map(([name, { bare, over }]) => ({
    what: `delegated fetch over a bare one, kept token, no network, ${name}`,
    ...{
      ours: `${us(over.wall)} more`,
      peer: `${us(bare.wall)} the bare one; ${us(over.cpu)} more of CPU time`,
    },
    ...{ budget: `<= ${OVERHEAD_US} us`, met: over.wall <= OVERHEAD_US },
  }));
  const inIt = Object.entries(parts).map(([name, { wall }]) => `${name} ${us(wall)}`);
  return [...found, { what: 'of that', ours: inIt.join(', '), peer: '', budget: '', met: undefined }];
}

function callFindings(server: string, rounds: Rounds<ToolCallName>): Finding[] {
  const compared = (what: string, a: ToolCallName, b: ToolCallName, budget: boolean): Finding => {
    const { wall, cpu } = rounds.ratio(a, b);
    const time = (name: ToolCallName): string => ms(rounds.times[name].wall / 1000);
    return {
      what: `${what}, at ${server}`,
      ours: `${times(wall)} (CPU time of the client ${times(cpu)})`,
      peer: `${time(b)} with no token and no Onbehalf, ${time(a)} with`,
      ...{ budget: budget ? `<= ${RATIO}x` : '', met: budget ? wall <= RATIO : undefined },
    };
  };
  return [
    compared('tool call p50, v2 client shared by all users', 'v2', 'v2 bare', true),
    compared('tool call p50, session pool against a v2 client', 'pool', 'v2 bare', true),
    compared('tool call p50, v1 client shared by all users', 'v1', 'v1 bare', false),
    compared('fetch over loopback HTTP without any client', 'fetch', 'fetch bare', false),
  ];
}

function adkFinding(server: string, { ours, bare, ratio }: AdkTool): Finding {
  return {
    what: `tool call p50, inside runAsync of the ADK toolset, at ${server}`,
    ...{ ours: times(ratio), peer: `${ms(bare)} a tool around a bare v2 client, ${ms(ours)} ours` },
    ...{ budget: `<= ${RATIO}x`, met: ratio <= RATIO },
  };
}

/** The plugin of ADK uses the session pool, so the bounds of that are its own. */
async function crowds(servers: McpServers, progress: (line: string) => void): Promise<Finding[]> {
  const bounds = { maxSessions: MOST_SESSIONS, maxWaitMs: WAIT_MS };
  const clients = [
    ['one v2 client for each server', startShared, {}],
    ['session pool', startPooled, {}],
    ['ADK plugin', startAdk, {}],
    [`one v2 client for each server, maxSessions ${MOST_SESSIONS}`, startShared, bounds],
    [`session pool, maxSessions ${MOST_SESSIONS}`, startPooled, bounds],
  ] as const;
  progress(`${USERS} users at once: no Onbehalf`);
  const findings = [bareFinding(await benchCrowd(servers, startBare))];
  for (const [name, start, limits] of clients) {
    progress(`${USERS} users at once: ${name}`);
    findings.push(crowdFinding(name, await benchCrowd(servers, start, limits)));
  }
  return findings;
}

function crowdFinding(name: string, crowd: Crowd): Finding {
  const { failed, failures, exchanges, most, left, leftAtEnd } = crowd;
  const wanted = USERS * TARGETS.length;
  const why = Object.entries(failures).map(([code, count]) => `, ${count} ${code}`);
  return {
    what: `${USERS} users at once, ${name}: failed${why.join('')}`,
    ours: `${failed}; ${leftAtEnd} sessions left open; ${exchanges} exchanges; ${tookOf(crowd)}`,
    peer: `at most ${most} sessions at a server at once; ${left} open when all runs had ended, before the client was closed`,
    budget: `= 0, 0, ${wanted}`,
    met: failed === 0 && leftAtEnd === 0 && exchanges === wanted,
  };
}

function bareFinding(crowd: Crowd): Finding {
  return {
    what: `${USERS} users at once, one v2 client for each server, no Onbehalf and no token: failed`,
    ours: `${crowd.failed}; ${tookOf(crowd)}`,
    ...{ peer: '', budget: '', met: undefined },
  };
}

const tookOf = ({ calls, seconds, cpuSeconds }: Crowd): string =>
  `${calls} calls in ${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of CPU time of the client)`;

const leftOut = (): Finding => ({
  what: 'ai-sdk, langchain, openai-agents, mastra with and without Onbehalf',
  ours: 'left out; add --frameworks (Node 24 and 330 MB of packages)',
  ...{ peer: '', budget: '', met: undefined },
});
