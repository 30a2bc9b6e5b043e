// Needs nothing that is fetched: the version 1 SDK is here. It is a judge all the same, for nobody here wrote it.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { expect, onTestFinished, test } from 'vitest';
import { type Delegation, runAs } from '../../../src/index.ts';
import {
  createDelegatedFetch,
  createSessionPool,
  defineMcpServer,
  type McpServerOptions,
} from '../../../src/mcp/index.ts';
import { failureOf } from '../../support/failure.ts';
import { type GuardedServer, startGuardedServer } from './bearer/guarded-server.ts';
import { type Parts, startParts, USERS } from './parts.ts';

const SCOPES = ['read', 'write'];

interface World extends Parts {
  readonly calendar: GuardedServer;
  readonly files: GuardedServer;
}

/** Two servers, each for its own tokens only. */
async function startWorld(requiredScopes: readonly string[] = []): Promise<World> {
  const [calendar, files] = [await startGuardedServer(), await startGuardedServer()];
  const parts = await startParts([calendar.url, files.url], SCOPES);
  await calendar.guard(parts.sts, requiredScopes);
  await files.guard(parts.sts);
  return { ...parts, calendar, files };
}

type Call = (delegation: Delegation) => Promise<string>;
type Way = (world: World, options: McpServerOptions) => Promise<Call>;

const WAYS: readonly (readonly [string, Way])[] = [
  [
    'the session pool',
    async ({ broker }, options) => {
      const pool = createSessionPool({ broker });
      onTestFinished(() => pool.close());
      const server = defineMcpServer(options);
      return async (delegation) =>
        textOf(await pool.call(server, delegation, (client) => client.callTool(WHOAMI)));
    },
  ],
  [
    'one client of version 2 for all users',
    async ({ broker }, options) => {
      const send = createDelegatedFetch({ ...options, broker });
      onTestFinished(() => send.close());
      const client = new Client({ name: 'shared', version: '2' });
      const connect = connectOnce(() =>
        client.connect(new StreamableHTTPClientTransport(new URL(options.url), { fetch: send })),
      );
      onTestFinished(() => client.close());
      return (delegation) =>
        runAs(delegation, async () => {
          await connect();
          return textOf(await client.callTool(WHOAMI));
        });
    },
  ],
  [
    'one client of version 1 for all users',
    async ({ broker }, options) => {
      const send = createDelegatedFetch({ ...options, broker });
      onTestFinished(() => send.close());
      const client = new ClientV1({ name: 'shared', version: '1' });
      const connect = connectOnce(() =>
        client.connect(new TransportV1(new URL(options.url), { fetch: send })),
      );
      onTestFinished(() => client.close());
      return (delegation) =>
        runAs(delegation, async () => {
          await connect();
          return textOf(await client.callTool(WHOAMI));
        });
    },
  ],
];

const WHOAMI = { name: 'whoami', arguments: {} };
const textOf = (result: object): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';

/** The server lists nothing without a token, and the agent has none of its own: the first user's run connects. */
function connectOnce(connect: () => Promise<void>): () => Promise<void> {
  let connected: Promise<void> | undefined;
  return () => {
    connected ??= connect();
    return connected;
  };
}

test.each(WAYS)(
  "%s gets through the SDK's bearer middleware, each user under his own name",
  async (_, way) => {
    const world = await startWorld();
    const { calendar, sts } = world;
    const call = await way(world, { url: calendar.url, target: { resource: calendar.url } });
    const runs = await Promise.all(USERS.map((user) => world.begin(user)));
    expect(await call(runs[0] as Delegation)).toBe('alice by agent');
    const rounds = Array.from({ length: 5 }, () => Promise.all(runs.map(call)));
    for (const said of await Promise.all(rounds)) expect(said).toEqual(['alice by agent', 'bob by agent']);
    expect(calendar.calls).toHaveLength(11);
    expect(sts.exchanges.map(({ sub, resource }) => [sub, ...resource])).toEqual([
      ['alice', calendar.url],
      ['bob', calendar.url],
    ]);
  },
);

test.each(WAYS)('%s does not get through with a token for another server', async (_, way) => {
  const world = await startWorld();
  const { calendar, files } = world;
  const call = await way(world, { url: calendar.url, target: { resource: files.url }, name: 'calendar' });
  const error = await failureOf(call(await world.begin('alice')));
  expect(error).toMatchObject({ code: 'server_rejected_token' });
  expect(calendar.calls).toEqual([]);
  expect(calendar.refusals.length).toBeGreaterThan(0);
});

test.each(WAYS)('%s finds the target in the metadata that the SDK serves', async (_, way) => {
  const world = await startWorld();
  const { calendar, sts } = world;
  const call = await way(world, { url: calendar.url, target: 'discover' });
  const runs = await Promise.all(USERS.map((user) => world.begin(user)));
  for (const [index, user] of USERS.entries()) {
    expect(await call(runs[index] as Delegation)).toBe(`${user} by agent`);
  }
  expect(calendar.metadataRequests).toBe(1);
  expect(sts.exchanges.map(({ resource }) => resource)).toEqual([[calendar.url], [calendar.url]]);
});

test.each(WAYS)('%s steps up, where it may, to the scopes that the middleware asks for', async (_, way) => {
  const world = await startWorld(SCOPES);
  const { calendar, sts } = world;
  const target = { resource: calendar.url, scope: 'read' };
  const call = await way(world, { url: calendar.url, target, stepUpScopes: 'write' });
  const run = await world.begin('alice');
  expect(await call(run)).toBe('alice by agent');
  expect(await call(run)).toBe('alice by agent');
  expect(sts.exchanges.map(({ scope }) => scope)).toEqual(['read', 'read write']);
});

test.each(WAYS)('%s does not step up where it may not', async (_, way) => {
  const world = await startWorld(SCOPES);
  const { calendar, sts } = world;
  const call = await way(world, { url: calendar.url, target: { resource: calendar.url, scope: 'read' } });
  const error = await failureOf(call(await world.begin('alice')));
  expect(error).toMatchObject({ code: 'insufficient_scope' });
  expect(calendar.calls).toEqual([]);
  expect(sts.exchanges.map(({ scope }) => scope)).toEqual(['read']);
});
