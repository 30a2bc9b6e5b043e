// A thousand users at once, each with a delegation of their own and three calls at two servers: what failed, what was
// exchanged, and what is left open at the servers.
import { setMaxListeners } from 'node:events';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type Broker, type Delegation, runAs } from 'onbehalf';
import { createDelegatedFetch, createSessionPool, defineMcpServer, type PlainFetch } from 'onbehalf/mcp';
import { subjectToken } from '../broker/token-endpoint.ts';
import { addTally } from '../stats.ts';
import { brokerOf, type Counts, type McpServers } from './servers.ts';

export const USERS = 1_000;
export const CALLS = 3;
/** The calls of a user, one after the other. */
export const ORDER = ['calendar', 'mail', 'calendar'] as const;
export const TARGETS = ['calendar', 'mail'] as const;
export type TargetName = (typeof TARGETS)[number];

/** Bounds of the sessions, as each of them takes them. */
export interface Bounds {
  readonly maxSessions?: number;
  readonly maxWaitMs?: number;
}

/** Users of one kind of client. */
export interface CrowdClient {
  /** All that a user does, as one run. @throws when any of it fails, or is answered as another user's */
  run(user: string): Promise<void>;
  /** Resolves when what the ended runs have left is closed. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface CrowdOptions {
  readonly servers: McpServers;
  readonly broker: Broker;
  readonly bounds: Bounds;
}

export type StartCrowd = (options: CrowdOptions) => Promise<CrowdClient>;

/** What a crowd came to. */
export interface Crowd {
  readonly seconds: number;
  /** CPU time of this process: the client's, and not the servers'. */
  readonly cpuSeconds: number;
  /** Runs that failed. */
  readonly failed: number;
  /** Why, and how often. */
  readonly failures: Readonly<Record<string, number>>;
  /** Tool calls that reached a server. */
  readonly calls: number;
  readonly exchanges: number;
  /** Most sessions at once, at the server that had most. */
  readonly most: number;
  /** Sessions open at the servers when all runs had ended, the client not: its own are among them. */
  readonly left: number;
  /** Sessions open at the servers when the client was closed. */
  readonly leftAtEnd: number;
}

/** The SDK gives one signal to all requests of a client, of which Node warns as of a leak; without Onbehalf just as well. */
const withoutWarning: PlainFetch = (url, init) => {
  if (init?.signal) setMaxListeners(0, init.signal);
  return fetch(url, init);
};

export async function benchCrowd(
  servers: McpServers,
  start: StartCrowd,
  bounds: Bounds = {},
): Promise<Crowd> {
  await servers.forgetMost();
  const before = await servers.counts();
  const broker = brokerOf(servers);
  const client = await start({ servers, broker, bounds });
  const since = performance.now();
  const cpu = process.cpuUsage();
  const users = Array.from({ length: USERS }, (_, index) => client.run(`user-${index}`));
  const ended = await Promise.allSettled(users);
  const seconds = (performance.now() - since) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await client.settled();
  const after = await servers.counts();
  await client.close();
  const atEnd = await servers.counts();
  broker.close();
  const failures: Record<string, number> = {};
  for (const one of ended) if (one.status === 'rejected') addTally(failures, { [nameOf(one.reason)]: 1 });
  return {
    ...{
      seconds,
      cpuSeconds: (user + system) / 1e6,
      failures,
      failed: ended.filter(({ status }) => status === 'rejected').length,
    },
    calls: sum(after, ({ calls }) => calls) - sum(before, ({ calls }) => calls),
    exchanges: after.exchanges - before.exchanges,
    most: Math.max(...TARGETS.map((name) => after.servers[name].most)),
    left: sum(after, ({ open }) => open) - sum(before, ({ open }) => open),
    leftAtEnd: sum(atEnd, ({ open }) => open) - sum(before, ({ open }) => open),
  };
}

const sum = (counts: Counts, of: (one: Counts['servers']['calendar']) => number): number =>
  TARGETS.reduce((total, name) => total + of(counts.servers[name]), 0);

const nameOf = (error: unknown): string =>
  error instanceof Error ? String((error as { code?: unknown }).code ?? error.message) : String(error);

/** One client of the SDK for each server, connected before any user is there. */
export const startShared: StartCrowd = async ({ servers, broker, bounds }) => {
  const started = await Promise.all(
    TARGETS.map(async (target) => {
      const url = servers.urls[target];
      const fetch = createDelegatedFetch({ broker, url, target, fetch: withoutWarning, ...bounds });
      const client = new Client({ name: 'crowd', version: '1.0.0' });
      await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch }));
      await client.listTools();
      return [target, { client, fetch }] as const;
    }),
  );
  const by = Object.fromEntries(started) as Record<TargetName, (typeof started)[number][1]>;
  return {
    run: (user) =>
      asUser(broker, user, (delegation, target) =>
        runAs(delegation, () => by[target].client.callTool({ name: 'echo', arguments: {} })),
      ),
    settled: async () => void (await Promise.all(started.map(([, { fetch }]) => fetch.settled()))),
    async close() {
      await Promise.all(started.map(([, { client }]) => client.close()));
      await Promise.all(started.map(([, { fetch }]) => fetch.close()));
    },
  };
};

/** For comparison: the same calls of two clients without Onbehalf, for nobody: two sessions, and no exchange. */
export const startBare: StartCrowd = async ({ servers }) => {
  const started = await Promise.all(
    TARGETS.map(async (target) => {
      const client = new Client({ name: 'crowd', version: '1.0.0' });
      const url = new URL(servers.urls[target]);
      const transport = new StreamableHTTPClientTransport(url, { fetch: withoutWarning });
      await client.connect(transport);
      return [target, { client, transport }] as const;
    }),
  );
  const by = Object.fromEntries(started) as Record<TargetName, (typeof started)[number][1]>;
  return {
    async run() {
      for (const target of ORDER) await by[target].client.callTool({ name: 'echo', arguments: {} });
    },
    settled: async () => {},
    async close() {
      for (const [, { client, transport }] of started) {
        await transport.terminateSession();
        await client.close();
      }
    },
  };
};

/** The session pool: a client for each session. */
export const startPooled: StartCrowd = async ({ servers, broker, bounds }) => {
  const pool = createSessionPool({ broker, ...bounds });
  const defined = Object.fromEntries(
    TARGETS.map((target) => [target, defineMcpServer({ url: servers.urls[target], target })]),
  ) as Record<TargetName, ReturnType<typeof defineMcpServer>>;
  return {
    run: (user) =>
      asUser(broker, user, (delegation, target) =>
        pool.call(defined[target], delegation, (client) => client.callTool({ name: 'echo', arguments: {} })),
      ),
    settled: () => pool.settled(),
    close: () => pool.close(),
  };
};

async function asUser(
  broker: Broker,
  user: string,
  call: (delegation: Delegation, target: TargetName) => Promise<unknown>,
): Promise<void> {
  const delegation = broker.begin({ subjectToken: subjectToken(user) });
  try {
    for (const target of ORDER) assertFor(user, await call(delegation, target));
  } finally {
    broker.end(delegation);
  }
}

/** The tool says who the server was called by. */
export function assertFor(user: string, result: unknown): void {
  const { content } = Object(result) as { content?: readonly { text?: string }[] };
  const { sub } = JSON.parse(content?.[0]?.text ?? '{}') as { sub?: string };
  if (sub !== user) throw new Error('answered as another user');
}
