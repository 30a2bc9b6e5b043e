// What the adapters give to their frameworks. The frameworks themselves are in test/interop/clients.

import { beforeEach, describe, expect, test } from 'vitest';
import { type Delegation, runAs } from '../../src/index.ts';
import { langchainClient } from '../../src/mcp/adapters/langchain.ts';
import type { DelegatedFetch } from '../../src/mcp/delegated-fetch.ts';
import { aiSdkTransport, MASTRA_DELEGATION, mastraServer, openAIAgentsServer } from '../../src/mcp/index.ts';
import { connectBare, type Scene, startScene } from './any-client.ts';
import { failed, failure } from './support.ts';

let at: Scene;
let options: Parameters<typeof aiSdkTransport>[0];

beforeEach(async () => {
  at = await startScene();
  options = { broker: at.broker, url: at.server.url, target: 'calendar' };
});

const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami' } });

const ADAPTERS: readonly [string, (given: typeof options) => DelegatedFetch][] = [
  ['aiSdkTransport', (given) => aiSdkTransport(given).fetch],
  ['mastraServer', (given) => mastraServer(given).fetch],
  ['openAIAgentsServer', (given) => openAIAgentsServer(given).fetch],
];

describe.each(ADAPTERS)('%s()', (_name, make) => {
  test('calls for the user under whose run the code runs, and its sessions can be closed', async () => {
    const fetch = make(options);
    const client = await connectBare(at.server.url, fetch);
    expect(await client.call(at.alice)).toBe('you are alice');
    expect(await client.call(at.bob)).toBe('you are bob');
    await fetch.close();
    expect(at.server.sessions.size).toBe(0);
  });

  test('makes a call that cannot be made a tool result, unless that is said otherwise', async () => {
    const init = { method: 'POST', body };
    const answer = await (await make(options)(at.server.url, init)).json();
    expect(answer).toMatchObject({ id: 1, result: { isError: true } });
    const throwing = make({ ...options, failures: 'throw' });
    expect((await failure(throwing(at.server.url, init))).code).toBe('delegation_missing');
  });

  test('refuses options that do not exist', () => {
    expect(() => make({ ...options, targets: 'calendar' } as typeof options)).toThrow(TypeError);
    expect(() => make({ ...options, url: 'no-url' })).toThrow(TypeError);
  });
});

test('aiSdkTransport() is an http transport that follows no redirect', () => {
  const transport = aiSdkTransport({ ...options, url: new URL(at.server.url) });
  expect(transport).toEqual({ type: 'http', url: at.server.url, fetch: transport.fetch, redirect: 'error' });
});

test('openAIAgentsServer() is named after its URL, or as it is told', () => {
  const server = openAIAgentsServer(options);
  expect(server).toEqual({ name: at.server.url, url: at.server.url, fetch: server.fetch });
  expect(openAIAgentsServer({ ...options, name: 'calendar' }).name).toBe('calendar');
});

describe('mastraServer()', () => {
  /** As Mastra's own: whatever was set can be got by its key. */
  const contextOf = (delegation: unknown): Map<string, unknown> => new Map([[MASTRA_DELEGATION, delegation]]);

  const call = async (context: unknown, make = mastraServer(options)): Promise<string> => {
    const response = await make.fetch(at.server.url, { method: 'POST', body }, context);
    const { result } = (await response.json()) as { result?: { content: [{ text: string }] } };
    return result?.content[0].text ?? '';
  };

  beforeEach(async () => {
    at = await startScene({ server: { stateless: true } });
    options = { broker: at.broker, url: at.server.url, target: 'calendar' };
  });

  test('is a server whose tool errors are returned to the model', () => {
    const server = mastraServer(options);
    expect(server.url).toEqual(new URL(at.server.url));
    expect(server.onToolError).toBe('return');
  });

  test('calls for the user whose delegation the request context holds, also within another’s run', async () => {
    expect(await call(contextOf(at.alice))).toBe('you are alice');
    expect(await runAs(at.alice, () => call(contextOf(at.bob)))).toBe('you are bob');
  });

  test.each<[string, unknown]>([
    ['none', undefined],
    ['null', null],
    ['an empty one', new Map()],
    ['one that is no context', { get: 7 }],
  ])('with %s calls for the user under whose run the code runs', async (_what, context) => {
    expect(await runAs(at.alice, () => call(context))).toBe('you are alice');
    expect(await call(context)).toContain('delegation_missing');
  });

  test('takes what is no delegation for a mistake: nothing is sent', async () => {
    const work = runAs(at.alice, () => call(contextOf({ group: 'forged' })));
    expect(String(await work.catch((error: unknown) => error))).not.toContain('you are');
    expect(at.server.executed).toEqual([]);
  });

  test('leaves it to the option "delegation" where there is one', async () => {
    const delegation = (context: unknown): Delegation => (context as { whom: Delegation }).whom;
    expect(await call({ whom: at.bob }, mastraServer({ ...options, delegation }))).toBe('you are bob');
  });
});

describe('langchainClient()', () => {
  const callOf = async (client: Awaited<ReturnType<typeof langchainClient>>): Promise<string> => {
    const result: object = await client.callTool({ name: 'whoami', arguments: {} });
    return (result as { content: [{ text: string }] }).content[0].text;
  };

  test('is connected, calls for whom the code runs, and ends its sessions when it is closed', async () => {
    const client = await langchainClient(options);
    expect((await client.listTools()).tools).toHaveLength(1);
    expect(await runAs(at.alice, () => callOf(client))).toBe('you are alice');
    expect(await runAs(at.bob, () => callOf(client))).toBe('you are bob');
    expect(at.server.sessions.size).toBe(3);
    await client.close();
    expect(at.server.sessions.size).toBe(0);
  });

  test('gives a call that cannot be made as a tool result', async () => {
    const client = await langchainClient(options);
    expect(await callOf(client)).toContain('delegation_missing');
    await client.close();
  });

  test('that cannot connect fails with the reason, and leaves nothing at the server', async () => {
    at.server.refuse('initialize', 401);
    expect(await failure(langchainClient(options))).toMatchObject({ code: 'delegation_missing' });
    at.server.refuse('notifications/initialized', 500);
    await failed(langchainClient(options));
    expect([...at.server.sessions]).toEqual([]);
  });
});
