// The world of the isolation suite: a real authorization server, four MCP servers and a thief, on free loopback ports.
import {
  type Broker,
  clientCredentialsActor,
  createBroker,
  createTokenService,
  type Delegation,
  type TokenService,
} from '../../src/index.ts';
import { createDevelopmentSts, type DevelopmentSts, type ExchangeRecord } from '../../src/sts/index.ts';
import type { ClientWorld, TestServer } from './client-under-test.ts';
import type { Plan } from './plan.ts';
import { type IsolationServer, startServer } from './server.ts';
import { startThief, type Thief } from './thief.ts';

/** The suite's servers. Two answer by event streams, and one shows its tools to nobody without a token. */
const SERVERS = [
  { name: 'calendar', answers: 'json', private: false },
  { name: 'mail', answers: 'json', private: false },
  { name: 'files', answers: 'sse', private: false },
  { name: 'vault', answers: 'sse', private: true },
] as const;

export const SERVER_NAMES: readonly string[] = SERVERS.map(({ name }) => name);

/** Client id of the agent at the STS, and so the `sub` of `act` in what it issues. */
const AGENT = 'agent';
const SECRET = 'a-secret-for-tests-only';
const HOUR = 3600;

export interface World extends ClientWorld {
  readonly sts: DevelopmentSts;
  readonly thief: Thief;
  readonly running: readonly IsolationServer[];
  /** Every attempt at an exchange. */
  readonly exchanges: readonly ExchangeRecord[];
  readonly broker: Broker;
  /** Begins a run for each user. */
  beginAll(): Promise<ReadonlyMap<string, { delegation: Delegation; subjectToken: string }>>;
  /** Moves the broker's clock past the end of the expiring user's subject token, and before that of all others. */
  expire(): void;
  close(): Promise<void>;
}

/** Starts everything. `onCut` is told when a server has dropped its connections. */
export async function startWorld(plan: Plan, onCut: (server: string) => void): Promise<World> {
  const exchanges: ExchangeRecord[] = [];
  let ahead = 0;
  const sts = await startSts(plan, (record) => void exchanges.push(record));
  const thief = await startThief();
  const mishaps = new Map(plan.calls.map(({ marker, mishap }) => [marker, mishap]));
  const running = await Promise.all(
    SERVERS.map((server) =>
      startServer({
        ...{ ...server, thief, tool: toolOf(server.name), agent: AGENT },
        ...{ issuer: sts.issuer, jwksUri: sts.jwksUri, onCut: () => onCut(server.name) },
        mishapOf: (marker) => mishaps.get(marker),
      }),
    ),
  );
  const tokenService = serviceOf(sts);
  const broker = createBroker({
    ...{ tokenService, actor: clientCredentialsActor(tokenService), now: () => Date.now() + ahead },
    // The longest there is: how often a refusal is asked for anew depends on how fast the machine is.
    refusalTtlMs: 60_000,
    deadlineMs: 60_000,
  });
  return {
    ...{ sts, thief, running, exchanges, broker },
    servers: running.map((server) => describe(server, tokenService)),
    beginAll: () => beginAll(plan, sts, broker),
    expire() {
      ahead = 600_000;
    },
    async close() {
      broker.close();
      await Promise.all([...running, thief, sts].map((one) => one.close()));
    },
  };
}

const toolOf = (server: string): string => `who_at_${server}`;

function startSts({ users }: Plan, onExchange: (record: ExchangeRecord) => void): Promise<DevelopmentSts> {
  return createDevelopmentSts({
    clients: [
      {
        ...{ clientId: AGENT, clientSecret: SECRET, authentication: 'client_secret_basic' },
        audiences: SERVER_NAMES,
      },
    ],
    users: users.map((sub) => ({ sub })),
    accessTokenTtl: HOUR,
    onExchange,
  });
}

function serviceOf(sts: DevelopmentSts): TokenService {
  return createTokenService({
    issuer: sts.issuer,
    clientId: AGENT,
    clientAuth: { method: 'client_secret_basic', clientSecret: SECRET },
  });
}

function describe({ name, url }: IsolationServer, tokenService: TokenService): TestServer {
  return {
    ...{ name, url, audience: name, tool: toolOf(name) },
    headers: { 'x-api-key': 'an-api-key-for-tests-only' },
    agentCredential: clientCredentialsActor(tokenService, { audience: name }),
  };
}

async function beginAll(
  plan: Plan,
  sts: DevelopmentSts,
  broker: Broker,
): Promise<Map<string, { delegation: Delegation; subjectToken: string }>> {
  const begun = new Map<string, { delegation: Delegation; subjectToken: string }>();
  for (const sub of plan.users) {
    const subjectToken = await sts.mintSubjectToken({
      sub,
      // The STS exchanges no token that was meant for another client.
      audience: sub === plan.denied ? 'another-client' : AGENT,
      expiresIn: sub === plan.expiring ? 300 : HOUR,
    });
    begun.set(sub, { subjectToken, delegation: broker.begin({ subjectToken }) });
  }
  return begun;
}
