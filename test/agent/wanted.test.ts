// What was asked for, S1 to S3, end to end: a message over HTTP, a real STS, and real MCP servers that say who came. S4 to S7 are in
// wanted-tokens.test.ts, S8 to S10 in wanted-kubernetes.test.ts, S11 in wanted-promises.test.ts; test/adk has the same for the library.
import { describe, expect, test } from 'vitest';
import { createGate } from '../mcp/support.ts';
import { startFakeAgent } from './remote-agents-support.ts';
import {
  AGENT,
  type Answer,
  callsAt,
  configOf,
  exchangesAt,
  message,
  playing,
  rpc,
  type Stage,
  send,
  serve,
  setStage,
  startKeeper,
  tokensAt,
} from './support.ts';

const stateOf = ({ body }: Answer): unknown => body.result?.status.state;
const issued = (audience: string, sub = 'alice'): string => `${audience} for ${sub} by ${AGENT}: issued`;
const called = (audience: string, sub = 'alice'): string => `${sub} for ${audience} by ${AGENT}: 200`;

/** An agent that asks another agent without an audience, which waits, and then calls the calendar. */
async function setWaiting(stage: Stage) {
  const calendar = await stage.mcp('calendar');
  const gate = createGate();
  const colleague = await startFakeAgent({
    'message/send':
      ({ id }) =>
      (response) => {
        const answer = { kind: 'message', role: 'agent', messageId: 'm', contextId: 'c', parts: [] };
        void gate.wait().then(() => response.end(JSON.stringify({ jsonrpc: '2.0', id, result: answer })));
      },
  });
  const server = await serve(
    configOf(stage, [calendar], {
      model: {
        ...{ type: 'scripted', model: 'script' },
        turns: [
          { calls: [{ name: 'colleague', args: { request: 'Any news?' } }] },
          { calls: [{ name: 'calendar_tool' }] },
          { text: 'All done.' },
        ],
      },
      remote_agents: [{ name: 'colleague', url: colleague.url }],
    }),
  );
  return { server, gate, calendar, colleague };
}

describe('S1: the beginning of a run exchanges nothing', () => {
  test('as long as it has called no MCP tool, though their list is with the model', async () => {
    const stage = await setStage();
    const { server, gate, calendar } = await setWaiting(stage);

    const running = send(server, await stage.token('alice'));
    await gate.reached(1);

    const listed = calendar.requests.filter(({ method }) => method === 'tools/list');
    expect(listed.map(({ status, sub }) => [status, sub])).toEqual([[200, undefined]]);
    expect(exchangesAt(stage.sts)).toEqual([]);

    gate.open();
    expect(stateOf(await running)).toBe('completed');
    expect(exchangesAt(stage.sts)).toEqual([issued('calendar')]);
    expect(callsAt(calendar)).toEqual([called('calendar')]);
  });

  test('and nothing at all, where the model calls no tool: the STS gives out no token, the servers see none', async () => {
    const stage = await setStage();
    const servers = [await stage.mcp('calendar'), await stage.mcp('mail')];
    const server = await serve(configOf(stage, servers, { model: playing() }));
    const alice = await stage.token('alice');

    const answers = [await send(server, alice), await rpc(server, alice, 'message/stream', message('Go.'))];

    expect(answers.map(({ text }) => text.includes('All done.'))).toEqual([true, true]);
    expect(exchangesAt(stage.sts)).toEqual([]);
    // The one that she signed in with: not even the agent has asked for one of its own.
    expect([...new Set(stage.tokens)].map((token) => token === alice)).toEqual([true]);
    const seen = servers.flatMap(({ requests }) => requests);
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.filter(({ sub }) => sub !== undefined)).toEqual([]);
  });

  test('also where a server wants a token for its list and the agent has one of its own', async () => {
    const stage = await setStage();
    const calendar = await stage.mcp('calendar', { requireTokenForDiscovery: true });
    const { url, audience } = calendar;
    const http_tools = [{ params: { url }, sts_audience: audience, discovery: 'agent' }];
    const server = await serve(configOf(stage, [calendar], { model: playing(), http_tools }));

    expect(stateOf(await send(server, await stage.token('alice')))).toBe('completed');

    const listed = calendar.requests.filter(({ method }) => method === 'tools/list');
    expect(listed.map(({ sub, status }) => [sub, status])).toEqual([[AGENT, 200]]);
    expect(exchangesAt(stage.sts)).toEqual([]);
  });
});

describe('S2: the first MCP tool call exchanges, and later ones reuse', () => {
  test('once for each audience of the session, when its server is first called', async () => {
    const stage = await setStage();
    const before = new Map<string, readonly string[]>();
    const noting = (name: string) => ({
      onCall: () => {
        if (!before.has(name)) before.set(name, exchangesAt(stage.sts));
      },
    });
    const calendar = await stage.mcp('calendar', noting('calendar'));
    const mail = await stage.mcp('mail', noting('mail'));
    const model = playing(
      ['calendar_tool'],
      ['calendar_tool'],
      ['mail_tool'],
      ['calendar_tool', 'mail_tool', 'calendar_tool'],
      ['mail_tool'],
    );
    const server = await serve(configOf(stage, [calendar, mail], { model }));

    expect(stateOf(await send(server, await stage.token('alice')))).toBe('completed');

    // What had been exchanged when each was first called: for itself, and for none that was not called yet.
    expect(Object.fromEntries(before)).toEqual({
      calendar: [issued('calendar')],
      mail: [issued('calendar'), issued('mail')],
    });
    expect(exchangesAt(stage.sts)).toEqual([issued('calendar'), issued('mail')]);
    expect(callsAt(calendar)).toEqual(Array(4).fill(called('calendar')));
    expect(callsAt(mail)).toEqual(Array(3).fill(called('mail')));
  });

  test('one exchange for many first calls at once', async () => {
    const stage = await setStage();
    const calendar = await stage.mcp('calendar');
    const model = playing(Array(8).fill('calendar_tool'));
    const server = await serve(configOf(stage, [calendar], { model }));

    await send(server, await stage.token('alice'));

    expect(exchangesAt(stage.sts)).toEqual([issued('calendar')]);
    expect(callsAt(calendar)).toEqual(Array(8).fill(called('calendar')));
  });

  test('sessions of two users exchange each for themselves', async () => {
    const stage = await setStage();
    const calendar = await stage.mcp('calendar');
    const model = playing(['calendar_tool'], ['calendar_tool']);
    const server = await serve(configOf(stage, [calendar], { model }));

    for (const user of ['alice', 'bob']) await send(server, await stage.token(user));

    expect(exchangesAt(stage.sts)).toEqual([issued('calendar'), issued('calendar', 'bob')]);
    expect(callsAt(calendar)).toEqual(
      ['alice', 'alice', 'bob', 'bob'].map((user) => called('calendar', user)),
    );
  });
});

describe('S3: tools that are none of an MCP server with an audience never exchange', () => {
  test('another agent without an audience is asked without a token', async () => {
    const stage = await setStage();
    const calendar = await stage.mcp('calendar');
    const colleague = await startFakeAgent();
    const server = await serve(
      configOf(stage, [calendar], {
        model: {
          ...{ type: 'scripted', model: 'script' },
          turns: [{ calls: [{ name: 'colleague', args: { request: 'Hello?' } }] }, { text: 'All done.' }],
        },
        remote_agents: [{ name: 'colleague', url: colleague.url }],
      }),
    );

    expect(stateOf(await send(server, await stage.token('alice')))).toBe('completed');

    expect(colleague.of('message/send').map(({ authorization }) => authorization)).toEqual([undefined]);
    expect(exchangesAt(stage.sts)).toEqual([]);
  });

  test('a server without an audience is called without a token', async () => {
    const stage = await setStage();
    const [keeper, calendar] = [await startKeeper('look'), await stage.mcp('calendar')];
    const http_tools = [
      { name: 'open', params: { url: keeper.url } },
      { name: 'calendar', params: { url: calendar.url }, sts_audience: 'calendar' },
    ];
    const server = await serve(configOf(stage, [calendar], { model: playing(['look', 'look']), http_tools }));

    expect(stateOf(await send(server, await stage.token('alice')))).toBe('completed');

    expect(tokensAt(keeper)).toEqual([undefined, undefined]);
    expect(exchangesAt(stage.sts)).toEqual([]);
  });

  test('what the agent remembers for its user is asked for without a token', async () => {
    const stage = await setStage();
    const calendar = await stage.mcp('calendar');
    const turns = [
      { calls: [{ name: 'save_memory', args: { content: 'Alice drinks tea.' } }] },
      { calls: [{ name: 'load_memory', args: { query: 'tea' } }] },
      { text: 'All done.' },
    ];
    const model = { type: 'scripted', model: 'script', turns };
    const server = await serve(configOf(stage, [calendar], { model, memory: { ttl_days: 1 } }));

    const answer = await send(server, await stage.token('alice'));

    expect([stateOf(answer), answer.text.includes('"saved":true')]).toEqual(['completed', true]);
    expect(exchangesAt(stage.sts)).toEqual([]);
  });

  test('a tool that there is not, or that waits for approval, exchanges nothing', async () => {
    const stage = await setStage();
    const calendar = await stage.mcp('calendar');
    const { url, audience } = calendar;
    const http_tools = [{ params: { url }, sts_audience: audience, require_approval: ['calendar_tool'] }];
    const ask = async (name: string): Promise<unknown> =>
      stateOf(
        await send(
          await serve(configOf(stage, [calendar], { model: playing([name]), http_tools })),
          await stage.token('alice'),
        ),
      );

    expect([await ask('no_such_tool'), await ask('calendar_tool')]).toEqual([
      expect.any(String),
      'input-required',
    ]);

    expect(callsAt(calendar)).toEqual([]);
    expect(exchangesAt(stage.sts)).toEqual([]);
  });

  test('and between calls of MCP tools they add nothing to what those exchange', async () => {
    const stage = await setStage();
    const [calendar, keeper] = [await stage.mcp('calendar'), await startKeeper('look')];
    const http_tools = [
      { name: 'calendar', params: { url: calendar.url }, sts_audience: 'calendar' },
      { name: 'open', params: { url: keeper.url } },
    ];
    const model = playing(['look'], ['calendar_tool', 'look'], ['look'], ['calendar_tool']);
    const server = await serve(configOf(stage, [calendar], { model, http_tools }));
    await send(server, await stage.token('alice'));

    expect(exchangesAt(stage.sts)).toEqual([issued('calendar')]);
    expect(callsAt(calendar)).toEqual([called('calendar'), called('calendar')]);
    expect(tokensAt(keeper)).toEqual([undefined, undefined, undefined]);
  });
});
