/**
 * The client that the conformance runner tests: the built package, as its users have it, with the MCP clients.
 *
 *   node main.ts WAY URL
 *
 * The scenario and what the client needs to know for it are in the environment, as the runner sets them. It prints one
 * line of JSON: how many tokens were exchanged.
 */
import {
  agentOfWorkload,
  agentWithCredentials,
  type Context,
  type UserAccess,
  userOfDevelopmentSts,
  userOfIdentityProvider,
} from './access.ts';
import { playOf } from './plays.ts';
import { asAgent, ownFetch, pooled, type Session, sharedFetch, sharedFetchV1 } from './ways.ts';

const STATELESS = '2026-07-28';

const [way = '', url = ''] = process.argv.slice(2);
const { MCP_CONFORMANCE_SCENARIO: scenario = '', MCP_CONFORMANCE_PROTOCOL_VERSION: version } = process.env;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}') as Context;
const options = {
  capabilities: { elicitation: { form: { applyDefaults: true } } },
  ...(version === STATELESS && { versionNegotiation: { mode: { pin: STATELESS } } }),
};

if (way === 'agent') await playAsAgent();
else await playForUser();

async function playAsAgent(): Promise<void> {
  const credential = scenario === 'auth/wif-jwt-bearer' ? agentOfWorkload : agentWithCredentials;
  await play(await asAgent(url, await credential(url, context), options));
}

async function playForUser(): Promise<void> {
  const enterprise = scenario === 'auth/enterprise-managed-authorization';
  const hasMetadata = scenario.startsWith('auth/');
  const access = await (enterprise
    ? userOfIdentityProvider(url, context)
    : userOfDevelopmentSts(hasMetadata));
  try {
    await play(await sessionFor(access));
  } finally {
    console.log(JSON.stringify({ exchanges: access.exchanges }));
    await access.close();
  }
}

function sessionFor(access: UserAccess): Promise<Session> {
  if (way === 'pool') return pooled(url, access);
  if (way === 'own') return ownFetch(url, access, options);
  return way === 'v1' ? sharedFetchV1(url, access) : sharedFetch(url, access, options);
}

async function play(session: Session): Promise<void> {
  try {
    await playOf(scenario)(session, context);
  } finally {
    await session.close();
  }
}
