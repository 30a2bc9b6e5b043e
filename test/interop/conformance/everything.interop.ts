import { AsyncLocalStorage } from 'node:async_hooks';
import { gunzipSync } from 'node:zlib';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { clientCredentialsActor, runAs } from '../../../src/index.ts';
import {
  createDelegatedFetch,
  createSessionPool,
  createToolCatalogue,
  defineMcpServer,
} from '../../../src/mcp/index.ts';
import { startVerifyingProxy, type VerifyingProxy } from './everything/proxy.ts';
import { startReferenceServer } from './everything/reference-server.ts';
import { type Result, TRIALS, TRIALS_WITH_CAPABILITIES, type Trial } from './everything/tools.ts';
import { AGENT, createVerifier, type Parts, startParts, USERS, type User } from './parts.ts';

const AUDIENCE = 'everything';

interface World extends Parts {
  readonly proxy: VerifyingProxy;
}

async function startWorld(): Promise<World> {
  const parts = await startParts([AUDIENCE]);
  const verify = createVerifier(parts.sts, AUDIENCE);
  return { ...parts, proxy: await startVerifyingProxy(await startReferenceServer(), verify) };
}

/** Tries every tool that is offered, and fails for one that nobody wrote a trial for, or that is not offered. */
async function tryAll(
  offered: readonly string[],
  trials: Readonly<Record<string, Trial>>,
  attempt: (name: string, trial: Trial) => Promise<void>,
): Promise<void> {
  expect(offered.toSorted()).toEqual(Object.keys(trials).toSorted());
  await Promise.all(Object.entries(trials).map(([name, trial]) => attempt(name, trial)));
}

async function callTool(client: Client, name: string, args: Record<string, unknown>): Promise<Result> {
  return (await client.callTool({ name, arguments: args })) as Result;
}

/** What the server's proxy must have seen in the end. */
function expectNothingMixed({ proxy, sts }: World, calls: number): void {
  expect(proxy.refused).toEqual([]);
  for (const user of USERS) {
    const mine = proxy.passed.filter(({ sub, tool }) => sub === user && tool !== undefined);
    expect(mine).toHaveLength(calls);
    expect(mine.every(({ actor }) => actor === AGENT)).toBe(true);
  }
  expect(sts.exchanges.map(({ sub, outcome }) => `${sub} ${outcome}`).toSorted()).toEqual([
    'alice issued',
    'bob issued',
  ]);
}

describe.skipIf(inject('judges') === undefined)('the MCP reference server behind a verifying proxy', () => {
  test('has all its tools listed and called through the session pool, for two users at once', async () => {
    const world = await startWorld();
    const { broker, proxy } = world;
    const pool = createSessionPool({ broker });
    onTestFinished(() => pool.close());
    const catalogue = createToolCatalogue({ pool });
    onTestFinished(() => catalogue.close());
    const server = defineMcpServer({ url: proxy.url, target: AUDIENCE });

    await Promise.all(
      USERS.map(async (user) => {
        const delegation = await world.begin(user);
        const offered = await catalogue.list(server, { delegation });
        const names = offered.map(({ name }) => name);
        await tryAll(names, TRIALS, async (name, { args, call, check }) => {
          const result = await pool.call(server, delegation, (client) =>
            call ? call(client, args(user)) : callTool(client, name, args(user)),
          );
          expect(result.isError, name).not.toBe(true);
          check(result, { user, proxy });
        });
      }),
    );

    expectNothingMixed(world, Object.keys(TRIALS).length);
    expect([...proxy.sessions.values()].toSorted()).toEqual([...USERS]);
    await catalogue.close();
    await pool.close();
    expect(proxy.sessions.size).toBe(0);
  });
});

const users = new AsyncLocalStorage<User>();

/** Connects one client for everyone, outside of any run, as an agent does when it starts. */
async function connectShared(world: World): Promise<{ client: Client; close(): Promise<void> }> {
  const { broker, proxy, tokenService } = world;
  const send = createDelegatedFetch({
    url: proxy.url,
    target: AUDIENCE,
    broker,
    agentCredential: clientCredentialsActor(tokenService, { audience: AUDIENCE }),
  });
  const client = new Client(
    { name: 'shared', version: '1.0.0' },
    { capabilities: { sampling: {}, elicitation: { form: {}, url: {} } } },
  );
  // What the server asks in the middle of a user's call is answered by that user.
  client.setRequestHandler('elicitation/create', ({ params }) =>
    params.mode === 'url'
      ? { action: 'accept' }
      : { action: 'accept', content: { name: `greetings from ${users.getStore()}` } },
  );
  client.setRequestHandler('sampling/createMessage', () => ({
    role: 'assistant',
    model: 'none',
    content: { type: 'text', text: `words from ${users.getStore()}` },
  }));
  await client.connect(new StreamableHTTPClientTransport(new URL(proxy.url), { fetch: send }));
  const close = async (): Promise<void> => {
    await client.close();
    await send.close();
  };
  onTestFinished(close);
  return { client, close };
}

describe.skipIf(inject('judges') === undefined)('one client of the reference server for all users', () => {
  test('lists and calls all its tools, and answers what it asks in between', async () => {
    const world = await startWorld();
    const { proxy } = world;
    const { client, close } = await connectShared(world);
    const { tools } = await client.listTools();
    const names = tools.map(({ name }) => name);
    expect(world.sts.exchanges).toEqual([]);

    await Promise.all(
      USERS.map(async (user) => {
        const delegation = await world.begin(user);
        const inRun = <T>(work: () => Promise<T>): Promise<T> =>
          users.run(user, () => runAs(delegation, work));
        await tryAll(names, TRIALS_WITH_CAPABILITIES, async (name, { args, call, check }) => {
          const result = await inRun(() =>
            call ? call(client, args(user)) : callTool(client, name, args(user)),
          );
          expect(result.isError, name).not.toBe(true);
          check(result, { user, proxy });
        });
      }),
    );

    expectNothingMixed(world, Object.keys(TRIALS_WITH_CAPABILITIES).length);
    await close();
    expect(proxy.sessions.size).toBe(0);
  });

  test('reads resources and prompts, each user his own', async () => {
    const world = await startWorld();
    const { client } = await connectShared(world);
    const { resources } = await client.listResources();
    expect(resources.length).toBeGreaterThan(3);
    const { resourceTemplates } = await client.listResourceTemplates();
    expect(resourceTemplates).toHaveLength(2);
    const { prompts } = await client.listPrompts();
    expect(prompts.map(({ name }) => name).toSorted()).toEqual(Object.keys(PROMPTS).toSorted());
    const stored = createMeetingPoint(USERS.length);

    await Promise.all(
      USERS.map(async (user) => {
        const delegation = await world.begin(user);
        await runAs(delegation, async () => {
          for (const { uri } of [...resources, { uri: 'demo://resource/dynamic/text/7' }]) {
            const { contents } = await client.readResource({ uri });
            expect(contents[0]?.uri).toBe(uri);
          }
          for (const [name, args] of Object.entries(PROMPTS)) {
            const { messages } = await client.getPrompt({ name, arguments: args(user) });
            expect(messages.length).toBeGreaterThan(0);
            if ('city' in args(user)) expect(JSON.stringify(messages)).toContain(`city of ${user}`);
          }
          // What is kept in a session is found in that one only.
          const args = {
            name: `of-${user}.gz`,
            data: `data:text/plain,kept by ${user}`,
            outputType: 'resourceLink',
          };
          const { content } = await callTool(client, 'gzip-file-as-resource', args);
          const { contents } = await client.readResource({ uri: content[0]?.uri ?? '' });
          const [kept] = contents as readonly { blob?: string }[];
          expect(gunzipSync(Buffer.from(kept?.blob ?? '', 'base64')).toString()).toBe(`kept by ${user}`);
          await stored();
          const others = `demo://resource/session/of-${user === 'alice' ? 'bob' : 'alice'}.gz`;
          await expect(client.readResource({ uri: others })).rejects.toThrow('not found');
          await client.subscribeResource({ uri: 'demo://resource/dynamic/text/7' });
          await client.unsubscribeResource({ uri: 'demo://resource/dynamic/text/7' });
          const ref = { type: 'ref/prompt', name: 'completable-prompt' } as const;
          const { completion } = await client.complete({ ref, argument: { name: 'department', value: 'S' } });
          expect(completion.values).toEqual(['Sales', 'Support']);
        });
      }),
    );
    expect(world.proxy.refused).toEqual([]);
  });
});

/** Nobody goes on before so many have come. */
function createMeetingPoint(count: number): () => Promise<void> {
  let missing = count;
  const { promise, resolve } = withResolvers();
  return () => {
    missing -= 1;
    if (missing === 0) resolve();
    return promise;
  };
}

function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

const PROMPTS: Readonly<Record<string, (user: User) => Record<string, string>>> = {
  'simple-prompt': () => ({}),
  'args-prompt': (user) => ({ city: `the city of ${user}` }),
  'completable-prompt': () => ({ department: 'Sales', name: 'Eve' }),
  'resource-prompt': () => ({ resourceType: 'Text', resourceId: '7' }),
};
