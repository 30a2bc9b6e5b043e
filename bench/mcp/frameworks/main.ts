// Measures each framework with Onbehalf against the same framework without, at the same server; prints one line of JSON.
import { aiSdk } from '../../../test/interop/clients/isolation/ai-sdk.ts';
import { langchain } from '../../../test/interop/clients/isolation/langchain.ts';
import { mastra } from '../../../test/interop/clients/isolation/mastra.ts';
import { openAIAgents } from '../../../test/interop/clients/isolation/openai-agents.ts';
import type { ClientUnderTest, ClientWorld } from '../../../test/isolation/client-under-test.ts';
import { subjectToken } from '../../broker/token-endpoint.ts';
import type { FrameworkTimes } from '../frameworks.ts';
import { inRounds } from '../rounds.ts';
import { brokerOf } from '../servers.ts';
import { bareAiSdk, bareLangchain, bareMastra, bareOpenAIAgents } from './bare.ts';

const SERVER = 'server';
const TOOL = 'echo';
const ARGS = { marker: 'a' };

const PAIRS: readonly (readonly [ours: ClientUnderTest, bare: ClientUnderTest])[] = [
  [aiSdk, bareAiSdk],
  [langchain, bareLangchain],
  [openAIAgents, bareOpenAIAgents],
  [mastra, bareMastra],
];

const { BENCH_TOKEN_ENDPOINT: tokenEndpoint = '', BENCH_URL: url = '' } = process.env;
const broker = brokerOf({ tokenEndpoint });
const user = broker.begin({ subjectToken: subjectToken('alice') });
const world: ClientWorld = {
  broker,
  servers: [
    {
      ...{ name: SERVER, url, audience: 'calendar', tool: TOOL, headers: {} },
      // Never asked for: the server shows its tools to nobody in particular.
      agentCredential: () => Promise.reject(new Error('nobody needs it')),
    },
  ],
};

const found: FrameworkTimes[] = [];
for (const [ours, bare] of PAIRS) {
  const [with_, without] = [await ours.start(world), await bare.start(world)];
  for (const one of [with_, without]) {
    const text = await one.call(user, SERVER, TOOL, ARGS);
    if (!text.includes('marker')) throw new Error(`${ours.name} was answered: ${text}`);
  }
  const rounds = await inRounds(
    {
      ours: () => with_.call(user, SERVER, TOOL, ARGS),
      bare: () => without.call(user, SERVER, TOOL, ARGS),
    },
    { rounds: 20, turns: 40, calls: 1 },
  );
  const { wall, cpu } = rounds.ratio('ours', 'bare');
  const { times } = rounds;
  found.push({ name: ours.name, ours: times.ours.wall, bare: times.bare.wall, ratio: wall, cpuRatio: cpu });
  await Promise.all([with_.close(), without.close()]);
}
broker.close();
process.stdout.write(`\n${JSON.stringify(found)}\n`, () => process.exit(0));
