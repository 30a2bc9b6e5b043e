import { beforeEach, describe, expect, test } from 'vitest';
import { createHeaderProvider, type HeaderProviderOptions } from '../../src/adk/index.ts';
import { type Broker, type Delegation, runAs } from '../../src/index.ts';
import type { DevelopmentSts } from '../../src/sts/index.ts';
import { begin, brokerFor, startSts } from '../mcp/support.ts';
import { agentOf, call, createGate, exchanged, setStage, TestModel } from './support.ts';

let sts: DevelopmentSts;
let broker: Broker;
let alice: Delegation;
let bob: Delegation;

beforeEach(async () => {
  sts = await startSts();
  broker = brokerFor(sts);
  alice = await begin({ sts, broker }, 'alice', 'chat');
  bob = await begin({ sts, broker }, 'bob', 'chat');
});

/** A provider for the calendar, with the request's own header fields as context. */
const provider = (options: Partial<HeaderProviderOptions<Record<string, string>>> = {}) =>
  createHeaderProvider<Record<string, string>>({
    broker,
    target: 'calendar',
    inboundHeaders: (headers) => headers,
    ...options,
  });

const bearer = async (delegation: Delegation, target = 'calendar'): Promise<string> =>
  `Bearer ${(await broker.token(delegation, target)).accessToken}`;

describe('S4: createHeaderProvider reads the cache synchronously', () => {
  test('and gives the Authorization of the caller, whoever that is at the moment', async () => {
    const headers = provider();
    const expected = { alice: await bearer(alice), bob: await bearer(bob) };
    expect(runAs(alice, () => headers({}))).toEqual({ authorization: expected.alice });
    expect(runAs(bob, () => headers({}))).toEqual({ authorization: expected.bob });
    expect(expected.alice).not.toBe(expected.bob);
    expect(exchanged(sts)).toEqual(['alice calendar issued', 'bob calendar issued']);
  });

  test('and gives no promise, nor exchanges: before the first exchange it throws token_not_ready', async () => {
    const headers = provider({ headers: { authorization: 'Bearer static' } });
    const inbound = { authorization: 'Bearer inbound' };
    await bearer(bob);
    await bearer(alice, 'mail');
    const attempt = (): unknown => runAs(alice, () => headers(inbound));
    expect(attempt).toThrow(expect.objectContaining({ code: 'token_not_ready', failure: 'unavailable' }));
    expect(exchanged(sts)).toEqual(['alice mail issued', 'bob calendar issued']);
  });

  test('and throws rather than give another identity when nobody is known', async () => {
    await bearer(alice);
    expect(() => provider()({})).toThrow(expect.objectContaining({ code: 'delegation_missing' }));
  });

  test('and throws once the run has ended', async () => {
    await bearer(alice);
    broker.end(alice);
    expect(() => runAs(alice, () => provider()({}))).toThrow(
      expect.objectContaining({ code: 'delegation_ended' }),
    );
  });

  test('and throws after the token was refused, until there is another', async () => {
    const token = await broker.token(alice, 'calendar');
    broker.reject(alice, 'calendar', token.accessToken);
    expect(() => runAs(alice, () => provider()({}))).toThrow(
      expect.objectContaining({ code: 'token_not_ready' }),
    );
    const next = await bearer(alice);
    expect(runAs(alice, () => provider()({}))).toEqual({ authorization: next });
  });

  test('per server: each closure gives the token of its own audience only', async () => {
    const [calendar, mail] = [provider(), provider({ target: 'mail' })];
    const expected = { calendar: await bearer(alice), mail: await bearer(alice, 'mail') };
    expect(runAs(alice, () => [calendar({}), mail({})])).toEqual([
      { authorization: expected.calendar },
      { authorization: expected.mail },
    ]);
    expect(expected.calendar).not.toBe(expected.mail);
  });
});

describe('S4: precedence is static < allowed inbound < Authorization of the STS', () => {
  test('of each name the highest one counts, alone, whatever its case', async () => {
    const authorization = await bearer(alice);
    const headers = provider({
      headers: { 'X-Tenant': 'static', 'X-Static': 's', AUTHORIZATION: 'Bearer static' },
      allowedHeaders: ['x-TENANT', 'Authorization', 'X-Request-Id'],
    });
    const inbound = { 'x-tenant': 'inbound', Authorization: 'Bearer inbound', 'X-REQUEST-ID': 'r1' };
    expect(runAs(alice, () => headers(inbound))).toEqual({
      'x-tenant': 'inbound',
      'x-static': 's',
      'x-request-id': 'r1',
      authorization,
    });
  });

  test('what is not on the list does not pass, and the list is empty by default', async () => {
    const authorization = await bearer(alice);
    const inbound = { cookie: 'session=1', 'x-tenant': 'inbound', 'x-tenant-id': '2' };
    expect(runAs(alice, () => provider()(inbound))).toEqual({ authorization });
    expect(runAs(alice, () => provider({ allowedHeaders: ['X-Tenant'] })(inbound))).toEqual({
      'x-tenant': 'inbound',
      authorization,
    });
  });

  test.each([
    ['Headers', () => new Headers({ 'X-Tenant': 'one' })],
    [
      'pairs',
      () =>
        [
          ['X-Tenant', 'zero'],
          ['x-tenant', 'one'],
        ] as [string, string][],
    ],
    ['an object with two spellings', () => ({ 'X-Tenant': 'zero', 'x-tenant': 'one' })],
  ])('header fields may be given as %s', async (_what, make) => {
    const authorization = await bearer(alice);
    const expected = { 'x-tenant': 'one', authorization };
    expect(runAs(alice, () => provider({ headers: make() })({}))).toEqual(expected);
    const inbound = provider({ inboundHeaders: make, allowedHeaders: ['x-tenant'] });
    expect(runAs(alice, () => inbound({}))).toEqual(expected);
  });

  test('no inbound request at all is no reason to fail', async () => {
    const authorization = await bearer(alice);
    expect(runAs(alice, () => provider({ inboundHeaders: () => undefined })({}))).toEqual({ authorization });
  });

  test('on the wire too: the toolset’s static fields go below, its Authorization never goes out', async () => {
    const stage = await setStage();
    const server = await stage.server('calendar');
    const headers = { Authorization: 'Bearer static', 'X-Tenant': 'one' };
    const toolset = stage.toolset(server, { headers, discovery: 'delegated' });
    const model = new TestModel([call('calendar_tool'), 'Done.']);
    await stage.run(stage.runner(agentOf(model, [toolset])), 'alice');
    await stage.plugin.settled();
    // The server answers 401 to any token that is not its own, so `Bearer static` would show.
    expect(server.requests.map(({ method, sub, status }) => `${method} ${sub} ${status}`)).toEqual([
      'initialize alice 200',
      'notifications/initialized alice 202',
      'tools/list alice 200',
      'tools/call alice 200',
      'DELETE alice 200',
    ]);
  });
});

describe('S4: plugin.headerProvider makes one closure per toolset', () => {
  test('which gives the run’s token of that toolset’s audience, with the toolset’s static fields', async () => {
    const stage = await setStage();
    const [calendar, mail] = await Promise.all([stage.server('calendar'), stage.server('mail')]);
    const toolsets = [
      stage.toolset(calendar, { headers: { 'X-Tenant': 'one' } }),
      stage.toolset(mail),
    ] as const;
    const [first, second] = toolsets.map((toolset) => stage.plugin.headerProvider(toolset));
    const seen: Record<string, string>[] = [];
    const model = new TestModel([call('calendar_tool'), call('mail_tool'), 'Done.']);
    const agent = agentOf(model, toolsets, {
      beforeToolCallback: ({ tool, context }) => {
        const headers = (tool.name === 'calendar_tool' ? first : second)?.(context);
        if (headers) seen.push(headers);
        return undefined;
      },
    });
    await stage.run(stage.runner(agent), 'alice');
    const claims = seen.map(({ authorization = '' }) => payload(authorization));
    expect(claims).toMatchObject([
      { sub: 'alice', aud: 'calendar' },
      { sub: 'alice', aud: 'mail' },
    ]);
    expect(seen.map((headers) => headers['x-tenant'])).toEqual(['one', undefined]);
  });

  test('which lets the inbound fields on its list pass, above the static ones', async () => {
    const stage = await setStage();
    const toolset = stage.toolset(await stage.server('calendar'), {
      headers: { 'X-Tenant': 'static', 'X-Static': 's' },
    });
    const inbound = { 'x-tenant': 'inbound', 'X-Request-Id': 'r1', authorization: 'Bearer x', cookie: 'c' };
    const headers = stage.plugin.headerProvider(toolset, {
      allowedHeaders: ['X-Tenant', 'x-request-id', 'Authorization'],
      inboundHeaders: () => inbound,
    });
    const model = new TestModel([call('calendar_tool'), 'Done.']);
    const seen: Record<string, string>[] = [];
    const agent = agentOf(model, [toolset], {
      beforeToolCallback: ({ context }) => void seen.push(headers(context)),
    });
    await stage.run(stage.runner(agent), 'alice');
    expect(seen).toEqual([
      {
        'x-tenant': 'inbound',
        'x-static': 's',
        'x-request-id': 'r1',
        authorization: expect.stringMatching(/^Bearer eyJ/),
      },
    ]);
  });

  test('which throws token_not_ready before the first call, and delegation_missing outside a run', async () => {
    const stage = await setStage();
    const toolset = stage.toolset(await stage.server('calendar'));
    const headers = stage.plugin.headerProvider(toolset);
    const codes: unknown[] = [];
    const note = (): void => {
      try {
        codes.push(headers(undefined));
      } catch (error) {
        codes.push((error as { code?: unknown }).code);
      }
    };
    const model = new TestModel(['Hello.']);
    model.onAsk = note;
    await stage.run(stage.runner(agentOf(model, [toolset])), 'alice');
    note();
    expect(codes).toEqual(['token_not_ready', 'delegation_missing']);
    expect(exchanged(stage.sts)).toEqual([]);
  });

  test('which never gives one user’s token in another’s run of the same session', async () => {
    const stage = await setStage();
    const gate = createGate();
    const server = await stage.server('calendar', { onCall: () => gate.wait() });
    const toolset = stage.toolset(server);
    const headers = stage.plugin.headerProvider(toolset);
    const model = new TestModel([call('calendar_tool'), 'Done.']);
    const seen: unknown[] = [];
    const agent = agentOf(model, [toolset], {
      afterToolCallback: ({ context, response }) => {
        const text = JSON.stringify(response);
        seen.push([
          text.includes('alice') ? 'alice' : 'bob',
          payload(headers(context).authorization ?? '').sub,
        ]);
        return undefined;
      },
    });
    const runner = stage.runner(agent);
    const runs = ['alice', 'bob'].map((sub) => stage.run(runner, sub));
    await gate.reached(2);
    gate.open();
    await Promise.all(runs);
    expect(seen.toSorted()).toEqual([
      ['alice', 'alice'],
      ['bob', 'bob'],
    ]);
  });

  test('for a toolset that is not registered with it there is none', async () => {
    const [stage, other] = [await setStage(), await setStage()];
    const toolset = stage.toolset(await stage.server('calendar'));
    expect(() => other.plugin.headerProvider(toolset)).toThrow(
      expect.objectContaining({ code: 'toolset_unregistered' }),
    );
  });
});

function payload(authorization: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString());
}
