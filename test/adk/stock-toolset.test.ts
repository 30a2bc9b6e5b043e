import { LoadMcpResourceTool, MCPToolset } from '@google/adk';
import { beforeEach, describe, expect, test } from 'vitest';
import { startWitness, type Witness } from '../mcp/witness.ts';
import {
  agentOf,
  call,
  callsAt,
  createGate,
  exchanged,
  type Outcome,
  type Stage,
  setStage,
  strangers,
  TestModel,
  told,
} from './support.ts';

let stage: Stage;

beforeEach(async () => {
  stage = await setStage();
});

type StockParams = ConstructorParameters<typeof MCPToolset>;

const stock = (url: string, more: object = {}, ...rest: [StockParams[1]?, string?]): MCPToolset =>
  new MCPToolset({ type: 'StreamableHTTPConnectionParams', url, ...more }, ...rest);

async function runWith(toolset: MCPToolset, name: string, sub = 'alice'): Promise<Outcome> {
  const model = new TestModel([call(name), 'Done.']);
  return stage.run(stage.runner(agentOf(model, [toolset])), sub);
}

describe('a toolset of ADK’s own that is registered', () => {
  test('calls on behalf of the run’s user, with a token for its audience', async () => {
    const server = await stage.server('calendar');
    const toolset = stock(server.url);
    stage.plugin.registerToolset(toolset, 'calendar');
    expect(told(await runWith(toolset, 'calendar_tool'))).toEqual(['calendar_tool: calendar of alice']);
    expect(strangers(server, 'alice')).toEqual([]);
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
    await stage.plugin.settled();
    expect(stage.broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
  });

  test('takes the richer target too', async () => {
    const server = await stage.server('calendar');
    const toolset = stock(server.url);
    stage.plugin.registerToolset(toolset, { audience: 'calendar', scope: 'read' });
    await runWith(toolset, 'calendar_tool');
    expect(stage.sts.exchanges).toMatchObject([{ audience: ['calendar'], scope: 'read', outcome: 'issued' }]);
  });

  test('keeps its filter by name and its prefix', async () => {
    const server = await stage.server('calendar', { tools: ['read', 'write'] });
    const toolset = stock(server.url, {}, ['cal_read'], 'cal');
    stage.plugin.registerToolset(toolset, 'calendar');
    expect((await toolset.getTools()).map(({ name }) => name)).toEqual(['cal_read']);
    expect(told(await runWith(toolset, 'cal_read'))).toEqual(['cal_read: calendar of alice']);
    expect(callsAt(server)).toEqual(['read alice 200']);
  });

  test('keeps its filter by predicate, which is given the run’s context', async () => {
    const server = await stage.server('calendar', { tools: ['read', 'write'] });
    const toolset = stock(
      server.url,
      {},
      (tool, { invocationId }) => invocationId !== '' && tool.name === 'write',
    );
    stage.plugin.registerToolset(toolset, 'calendar');
    const model = new TestModel([call('write'), 'Done.']);
    await stage.run(stage.runner(agentOf(model, [toolset])), 'alice');
    expect(Object.keys(model.asked[0]?.toolsDict ?? {})).toEqual(['write']);
    expect((await toolset.getTools()).map(({ name }) => name)).toEqual(['read', 'write']);
  });

  test.each([
    ['"header"', { header: { 'X-Tenant': 'one', Authorization: 'Bearer static' } }],
    [
      '"transportOptions.requestInit"',
      {
        transportOptions: { requestInit: { headers: { 'X-Tenant': 'one', authorization: 'Bearer static' } } },
      },
    ],
    [
      '"header" beside "transportOptions" without a "requestInit", as ADK reads them',
      { header: { 'X-Tenant': 'one', AUTHORIZATION: 'Bearer static' }, transportOptions: {} },
    ],
  ])('keeps its static header fields, below our Authorization: %s', async (_where, more) => {
    const witness = await startWitness(stage.sts);
    const toolset = stock(witness.url, more);
    // Listing without a token would show the static one, which is the user's own affair.
    stage.plugin.registerToolset(toolset, 'calendar');
    await runWith(toolset, 'whoami');
    const calls = witness.requests.filter(({ sub }) => sub === 'alice');
    expect(witness.log('tools/call')).toEqual(['tools/call alice 200']);
    expect(new Set(calls.map(({ headers }) => headers['x-tenant']))).toEqual(new Set(['one']));
  });

  test('keeps its own fetch, which sees our header fields', async () => {
    const server = await stage.server('calendar');
    const seen: (string | null)[] = [];
    const own = (url: string | URL, init?: RequestInit): Promise<Response> => {
      seen.push(new Headers(init?.headers).get('authorization')?.slice(0, 7) ?? null);
      return fetch(url, init);
    };
    const toolset = stock(server.url, { transportOptions: { fetch: own } });
    stage.plugin.registerToolset(toolset, 'calendar');
    expect(told(await runWith(toolset, 'calendar_tool'))).toEqual(['calendar_tool: calendar of alice']);
    await stage.plugin.settled();
    expect(seen).toContain('Bearer ');
    expect(seen.length).toBe(server.requests.length);
  });

  describe('gives its resources', () => {
    let witness: Witness;
    let toolset: MCPToolset;

    beforeEach(async () => {
      witness = await startWitness(stage.sts);
      toolset = stock(witness.url);
      stage.plugin.registerToolset(toolset, 'calendar');
    });

    test('on behalf of the run’s user, by LoadMcpResourceTool under plugin.runAsync', async () => {
      const texts: string[] = [];
      const model = new TestModel((text) => {
        texts.push(text);
        return text.startsWith('Resource')
          ? ['Read.']
          : [call('load_mcp_resource', { resource_names: ['notes'] })];
      });
      const agent = agentOf(model, [new LoadMcpResourceTool(toolset)]);
      const outcome = await stage.run(stage.runner(agent), 'alice');
      expect(outcome.failure).toBeUndefined();
      expect(texts.at(-1)).toContain('the notes of alice');
      expect(witness.log('resources/read')).toEqual(['resources/read alice 200']);
      expect(new Set(witness.log('resources/list'))).toEqual(new Set(['resources/list alice 200']));
      expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
    });

    test('to nobody when nobody is known: the server is asked nothing', async () => {
      await expect(toolset.listResources()).rejects.toMatchObject({ code: 'delegation_missing' });
      await expect(toolset.readResource('notes')).rejects.toMatchObject({ code: 'delegation_missing' });
      expect(witness.requests).toEqual([]);
    });

    test('to two users at once, each their own', async () => {
      const gate = createGate();
      witness.onRequest = ({ method }) => (method === 'resources/read' ? gate.wait() : undefined);
      const agent = (texts: string[]): ReturnType<typeof agentOf> =>
        agentOf(
          new TestModel((text) => {
            texts.push(text);
            return text.startsWith('Resource')
              ? ['Read.']
              : [call('load_mcp_resource', { resource_names: ['notes'] })];
          }),
          [new LoadMcpResourceTool(toolset)],
        );
      const texts = { alice: [] as string[], bob: [] as string[] };
      const runs = (['alice', 'bob'] as const).map((sub) => stage.run(stage.runner(agent(texts[sub])), sub));
      await gate.reached(2);
      gate.open();
      await Promise.all(runs);
      expect(texts.alice.at(-1)).toContain('the notes of alice');
      expect(texts.bob.at(-1)).toContain('the notes of bob');
    });
  });
});

describe('16 users at once on one agent, each in a run of their own', () => {
  const USERS = Array.from({ length: 16 }, (_, index) => `user${index}`);
  const SCRIPT = [call('calendar_tool'), call('calendar_tool'), 'Done.'];

  test('registered: no run fails, though ADK calls close() when each of them ends', async () => {
    const gate = createGate();
    const server = await stage.server('calendar', { onCall: () => gate.wait() });
    const toolset = stock(server.url);
    stage.plugin.registerToolset(toolset, 'calendar');
    const runner = stage.runner(agentOf(new TestModel(SCRIPT), [toolset]));
    const runs = USERS.map((sub) => stage.run(runner, sub, { sessionId: sub }));
    await gate.reached(16);
    gate.open();
    const outcomes = await Promise.all(runs);
    for (const [index, outcome] of outcomes.entries()) {
      expect(outcome.failure).toBeUndefined();
      expect(told(outcome)).toEqual(Array(2).fill(`calendar_tool: calendar of user${index}`));
    }
    expect(strangers(server, ...USERS)).toEqual([]);
    expect(stage.sts.exchanges).toHaveLength(16);
  });

  test('not registered (control): the same load fails, as the first run to end closes the others’ sessions', async () => {
    const token = await stage.sts.mintSubjectToken({ sub: 'alice', audience: 'calendar' });
    const gate = createGate();
    let come = 0;
    const server = await stage.server('calendar', {
      // One call is answered, when all the others are under way; those not before a run has ended.
      onCall: () => {
        come += 1;
        return come === 1 ? gate.reached(15) : gate.wait();
      },
    });
    const toolset = stock(server.url, { header: { authorization: `Bearer ${token}` } });
    const runner = stage.runner(agentOf(new TestModel([call('calendar_tool'), 'Done.']), [toolset]));
    const outcomes = await Promise.all(
      USERS.map(async (sub) => {
        const outcome = await stage.runPlain(runner, { sessionId: sub });
        gate.open();
        return outcome;
      }),
    );
    const failed = outcomes.filter(
      ({ failure, answers }) => failure !== undefined || answers.some(({ response }) => 'error' in response),
    );
    expect(failed).toHaveLength(15);
    expect(JSON.stringify(failed.map(({ answers, failure }) => [answers, String(failure)]))).toContain(
      'Connection closed',
    );
  });
});
