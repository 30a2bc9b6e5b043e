// The Kubernetes bench: the controller on a real API server, by a program that needs a Node 24.
import type { Finding } from '../findings.ts';
import { onNode24 } from '../on-node-24.ts';
import { AGENTS, type Measurements, SERVERS, TOOLS, type WriteCounts } from './measurements.ts';

const PROGRAM = 'bench/kubernetes/measured/main.ts';
/** Agents that use one server. */
const DEPENDENTS = (AGENTS * TOOLS) / SERVERS;
const CONVERGE_MS = 60_000;
const MEMORY_BYTES = 300 * 2 ** 20;

/** What has to be written, once each. */
const NEEDED: WriteCounts = {
  serviceaccounts: AGENTS,
  secrets: AGENTS,
  services: AGENTS,
  deployments: AGENTS,
  'agents/status': AGENTS,
  'remotemcpservers/status': SERVERS,
  'tokenservices/status': 1,
  'modelconfigs/status': 1,
};

/** Of the agents that use the server: their config, what makes their pods roll, and what they tell of it; and the server. */
const NEEDED_FOR_CHANGE: WriteCounts = {
  remotemcpservers: 1,
  'remotemcpservers/status': 1,
  secrets: DEPENDENTS,
  deployments: DEPENDENTS,
  'agents/status': DEPENDENTS,
};

export async function benchKubernetes(progress: (line: string) => void): Promise<Finding[]> {
  progress('kubernetes: an API server, which is built first if it is not there yet');
  const found = (await onNode24(PROGRAM, { BENCH_NODE: process.execPath })) as Measurements;
  const seconds = (value: number): string => `${(value / 1000).toFixed(1)} s`;
  return [
    {
      what: `${AGENTS} agents over ${SERVERS} servers, from the start of the controller to its last write`,
      ours: seconds(found.convergeMs),
      peer: found.problems.length === 0 ? '' : `not converged: ${found.problems.slice(0, 3).join('; ')}`,
      budget: `<= ${seconds(CONVERGE_MS)}`,
      met: found.convergeMs <= CONVERGE_MS && found.problems.length === 0,
    },
    {
      what: 'memory of the controller, at most',
      ours: `${Math.round(found.peakBytes / 2 ** 20)} MB`,
      ...{ peer: '', budget: '<= 300 MB', met: found.peakBytes <= MEMORY_BYTES },
    },
    writes('writes for that, as the API server counts them', found.convergeWrites, NEEDED),
    writes(
      `writes in a minute without a change (${found.steadyReconciles} reconciles)`,
      found.steadyWrites,
      {},
    ),
    writes(
      `writes after another audience for one server (${found.changeReconciles} reconciles)`,
      found.changeWrites,
      NEEDED_FOR_CHANGE,
    ),
    writes(`writes after a restart (at rest after ${seconds(found.restartMs)})`, found.restartWrites, {}),
  ];
}

function writes(what: string, found: WriteCounts, needed: WriteCounts): Finding {
  const text = (counts: WriteCounts): string => {
    const sum = Object.values(counts).reduce((total, count) => total + count, 0);
    const parts = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
    return [String(sum), parts.length > 0 ? `(${parts.sort().join(', ')})` : ''].filter(Boolean).join(' ');
  };
  const same = text(found) === text(needed);
  return { what, ours: text(found), peer: '', budget: text(needed), met: same };
}
