// Runs the isolation suite on the client whose name is given, and prints its counts. Exit code 1: there was a problem.

import { v1, v2 } from '../../../isolation/clients.ts';
import { runAll } from '../../../isolation/run-all.ts';

/** Loaded one by one: what one framework does when it is loaded, another need not bear. */
const RUNS: Readonly<Record<string, () => Promise<boolean>>> = {
  'mcp-v2': () => runAll([v2]),
  'mcp-v1': () => runAll([v1]),
  'ai-sdk': async () => runAll([(await import('./ai-sdk.ts')).aiSdk]),
  langchain: async () => runAll([(await import('./langchain.ts')).langchain]),
  'openai-agents': async () => runAll([(await import('./openai-agents.ts')).openAIAgents]),
  // A whole run of the agent for each call takes its time.
  'openai-agents-run': async () =>
    runAll([(await import('./openai-agents.ts')).openAIAgentsRun], { users: 25 }),
  mastra: async () => runAll([(await import('./mastra.ts')).mastra]),
};

const [name = ''] = process.argv.slice(2);
const run = RUNS[name];
if (!run) throw new TypeError(`no client is named ${JSON.stringify(name)}`);
process.exitCode = (await run()) ? 0 : 1;
