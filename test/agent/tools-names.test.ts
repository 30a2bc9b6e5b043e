import { type BaseTool, BaseToolset } from '@google/adk';
import { expect, test } from 'vitest';
import { MOST_TOOLS, UniqueToolset } from '../../src/agent/unique-toolset.ts';
import { type RawMcp, result, startRawMcp } from '../support/raw-mcp.ts';
import { callsAt, configOf, message, rpc, send, serve, setStage, startKeeper } from './support.ts';

/** A server whose list of tools can be changed. */
async function startChanging(
  ...names: readonly string[]
): Promise<{ server: RawMcp; lists: (...names: readonly string[]) => void }> {
  let listed = names;
  const server = await startRawMcp({
    answers: {
      'tools/list': (response, id) =>
        result(response, id, { tools: listed.map((name) => ({ name, inputSchema: { type: 'object' } })) }),
    },
  });
  return {
    server,
    lists: (...now) => {
      listed = now;
    },
  };
}

test.each(['require_approval', 'tools'])(
  'a tool that the config names at a server, by %s, is taken over by none that comes earlier',
  async (field) => {
    const stage = await setStage();
    const weather = await startChanging('weather');
    const mail = await stage.mcp('mail');
    const base = configOf(stage, [mail]) as { http_tools: readonly object[] };
    const server = await serve({
      ...base,
      http_tools: [
        { name: 'weather', params: { url: weather.server.url } },
        { ...base.http_tools[0], [field]: ['mail_tool'] },
      ],
    });
    const alice = await stage.token('alice');

    const states: string[] = [];
    const ask = async (more: object = {}): Promise<{ id: string; contextId: string }> => {
      const { result: task } = (await send(server, alice, more)).body;
      states.push(task.status.state);
      return task;
    };
    const { id: taskId, contextId } = await ask();
    weather.lists('weather', 'mail_tool');
    if (field === 'require_approval') {
      const approve = message('approve', { taskId, contextId });
      states.push((await rpc(server, alice, 'message/send', approve)).body.result.status.state);
    }
    await ask();

    const waits = ['input-required', 'completed', 'input-required'];
    expect(states).toEqual(field === 'tools' ? ['completed', 'completed'] : waits);
    expect(weather.server.of('tools/call')).toEqual([]);
    expect(callsAt(mail)).toHaveLength(field === 'tools' ? 2 : 1);
    expect(stage.log.filter((line) => line.includes('is left out'))).toEqual([
      expect.stringMatching(/a tool of weather, .*mail_tool.*, is left out: mail has one of this name/),
    ]);
  },
);

test('a name that the config gives to a server which is left out is nobody else’s', async () => {
  const stage = await setStage();
  const [weather, mail] = [await startKeeper('mail_tool'), await startKeeper('mail_tool')];
  const base = configOf(stage, []);
  const server = await serve({
    ...base,
    model: { type: 'scripted', model: 'm', turns: [{ calls: [{ name: 'mail_tool', args: {} }] }] },
    authentication: { mode: 'anonymous' },
    http_tools: [
      { name: 'weather', params: { url: weather.url } },
      { name: 'mail', params: { url: mail.url }, sts_audience: 'mail', require_approval: ['mail_tool'] },
    ],
  });

  await send(server, undefined);

  expect([weather, mail].map((each) => each.of('tools/call'))).toEqual([[], []]);
});

/** A toolset that lists these names, each time anew. */
class Names extends BaseToolset {
  names: readonly string[];

  constructor(...names: readonly string[]) {
    super([]);
    this.names = names;
  }

  override async getTools(): Promise<BaseTool[]> {
    return this.names.map((name) => ({ name }) as BaseTool);
  }

  override async close(): Promise<void> {}
}

const namesOf = async (toolset: BaseToolset): Promise<string[]> =>
  (await toolset.getTools()).map(({ name }) => name);

test('who had a name first keeps it, also when it is not listed: for another user it may be', async () => {
  const { log } = await setStage();
  const [weather, mail] = [new Names('a'), new Names('b', 'c')];
  const all = new UniqueToolset([
    { name: 'weather', toolset: weather },
    { name: 'mail', toolset: mail },
  ]);

  expect(await namesOf(all)).toEqual(['a', 'b', 'c']);
  weather.names = ['a', 'b', 'c'];
  expect(await namesOf(all)).toEqual(['a', 'b', 'c']);
  mail.names = [];
  expect(await namesOf(all)).toEqual(['a']);
  mail.names = ['b', 'd'];
  expect(await namesOf(all)).toEqual(['a', 'b', 'd']);
  weather.names = ['c'];
  mail.names = ['a', 'b', 'c'];
  expect(await namesOf(all)).toEqual(['b', 'c']);
  expect(log.filter((line) => line.includes('is left out: mail has one of this name'))).toHaveLength(1);
});

test('a server that lists other names each time has a bounded number of them', async () => {
  const [weather, mail] = [new Names('first'), new Names()];
  const all = new UniqueToolset([
    { name: 'weather', toolset: weather },
    { name: 'mail', toolset: mail },
  ]);
  await namesOf(all);
  for (let times = 0; times < 20; times++) {
    weather.names = Array.from({ length: MOST_TOOLS }, (_, index) => `w${times}-${index}`);
    await namesOf(all);
  }
  weather.names = ['w19-0'];
  mail.names = ['w0-0', 'first'];
  expect(await namesOf(all)).toEqual(['w19-0', 'first']);
});

test('names of the config that a server does not list are told, once', async () => {
  const { log } = await setStage();
  const mail = new Names('send_mail');
  const weather = new Names();
  const all = new UniqueToolset([
    { name: 'mail', toolset: mail, reserved: ['send_mial', 'send_mail', 'send_mial'] },
    { name: 'weather', toolset: weather, reserved: ['wether'] },
    { name: 'left-out', reserved: ['any'] },
  ]);
  for (let times = 0; times < 2; times++) expect(await namesOf(all)).toEqual(['send_mail']);
  expect(log.filter((line) => line.includes('spelt right'))).toEqual([
    expect.stringContaining('mail: the config names tools that are not listed (\\"send_mial\\")'),
    expect.stringContaining('weather: no tool could be listed that the config names (\\"wether\\")'),
  ]);
});

test('no server has a name of ADK’s', async () => {
  const { log } = await setStage();
  const its = ['adk_request_credential', 'adk_request_input', 'adk_request_confirmation', 'adk_'];
  const toolset = new UniqueToolset([{ name: 'weather', toolset: new Names(...its, 'adkx'), reserved: its }]);

  expect(await namesOf(toolset)).toEqual(['adkx']);
  expect(log.filter((line) => line.includes('ADK has one of this name'))).toHaveLength(1);
});

test('of a server with very many tools there are the first, with one warning', async () => {
  const { log } = await setStage();
  const many = (prefix: string, count: number): Names =>
    new Names(...Array.from({ length: count }, (_, index) => `${prefix}${index}`));
  const all = new UniqueToolset([
    { name: 'weather', toolset: many('w', MOST_TOOLS + 2) },
    { name: 'mail', toolset: many('m', MOST_TOOLS) },
  ]);

  for (let times = 0; times < 2; times++) {
    const names = await namesOf(all);
    expect([names.length, names[MOST_TOOLS - 1], names[MOST_TOOLS]]).toEqual([2 * MOST_TOOLS, 'w999', 'm0']);
  }
  const warnings = log.filter((line) => line.includes('tools of'));
  expect(warnings).toEqual([
    expect.stringContaining('2 tools of weather are left out: it has more than 1,000'),
  ]);
});

test.each([
  ['on behalf of a user', { sts_audience: 'calendar' }],
  ['without a token', {}],
])('of a server that is called %s at most 1,000 tools are offered to the model', async (_who, own) => {
  const stage = await setStage();
  const names = Array.from({ length: MOST_TOOLS + 500 }, (_, index) => `t${index}`);
  const raw = await startKeeper(...names);
  const turn = (name: string): object => ({ calls: [{ name, args: {} }] });
  const server = await serve({
    ...configOf(stage, []),
    model: { type: 'scripted', model: 'm', turns: [turn('t999'), turn('t1000'), { text: 'Done.' }] },
    http_tools: [{ name: 'raw', params: { url: raw.url }, ...own }],
  });

  const { body } = await send(server, await stage.token('alice'));

  expect(body.result.status.state).toBe('failed');
  expect(raw.of('tools/call')).toHaveLength(1);
  expect(stage.log.filter((line) => line.includes('it has more than 1,000'))).toEqual([
    expect.stringContaining('500 tools of raw are left out'),
  ]);
});
