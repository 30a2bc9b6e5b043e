import { beforeEach, describe, expect, test } from 'vitest';
import {
  agentOf,
  call,
  callsAt,
  createGate,
  exchanged,
  type Stage,
  setStage,
  strangers,
  subjectToken,
  TestModel,
  told,
} from './support.ts';

let stage: Stage;

beforeEach(async () => {
  stage = await setStage();
});

describe('S6: the servers of one run get independent tokens', () => {
  test('each is shown a token for itself alone, by this agent for this user', async () => {
    const servers = await Promise.all(['calendar', 'mail', 'files'].map((name) => stage.server(name)));
    const model = new TestModel([call('calendar_tool'), call('mail_tool'), call('files_tool'), 'Done.']);
    const toolsets = servers.map((server) => stage.toolset(server));
    const outcome = await stage.run(stage.runner(agentOf(model, toolsets)), 'alice');
    expect(told(outcome)).toEqual([
      'calendar_tool: calendar of alice',
      'mail_tool: mail of alice',
      'files_tool: files of alice',
    ]);
    for (const server of servers) {
      expect(strangers(server, 'alice')).toEqual([]);
      expect(callsAt(server)).toEqual([`${server.name}_tool alice 200`]);
    }
    expect(exchanged(stage.sts)).toEqual([
      'alice calendar issued',
      'alice files issued',
      'alice mail issued',
    ]);
  });

  test('what one server refuses does not touch the token of the other', async () => {
    const [calendar, mail] = await Promise.all([stage.server('calendar'), stage.server('mail')]);
    const model = new TestModel([call('mail_tool'), call('calendar_tool'), call('mail_tool'), 'Done.']);
    calendar.rejectNext(1);
    await stage.run(stage.runner(agentOf(model, [stage.toolset(calendar), stage.toolset(mail)])), 'alice');
    expect(exchanged(stage.sts)).toEqual([
      'alice calendar issued',
      'alice calendar issued',
      'alice mail issued',
    ]);
  });

  test('what the STS refuses for one does not keep the other from its own', async () => {
    const [calendar, mail] = await Promise.all([stage.server('calendar'), stage.server('mail')]);
    stage.sts.inject({ kind: 'status', status: 503, audience: 'calendar' });
    const model = new TestModel([call('calendar_tool'), call('mail_tool'), 'Done.']);
    const outcome = await stage.run(
      stage.runner(agentOf(model, [stage.toolset(calendar), stage.toolset(mail)])),
      'alice',
    );
    expect(told(outcome)).toEqual(['calendar_tool: sts_error', 'mail_tool: mail of alice']);
    expect([callsAt(calendar), callsAt(mail)]).toEqual([[], ['mail_tool alice 200']]);
  });
});

describe('S6: two users in one session never mix', () => {
  test('when their calls interleave at every server', async () => {
    const gates = { calendar: createGate(), mail: createGate() };
    const [calendar, mail] = await Promise.all([
      stage.server('calendar', { onCall: () => gates.calendar.wait() }),
      stage.server('mail', { onCall: () => gates.mail.wait() }),
    ]);
    const model = new TestModel([call('calendar_tool'), call('mail_tool'), 'Done.']);
    const runner = stage.runner(agentOf(model, [stage.toolset(calendar), stage.toolset(mail)]));
    // The same userId and the same sessionId: nothing but the token tells them apart.
    const runs = ['alice', 'bob'].map((sub) => stage.run(runner, sub, { userId: 'team', sessionId: 'chat' }));
    for (const gate of [gates.calendar, gates.mail]) {
      await gate.reached(2);
      gate.open();
    }
    const [hers, his] = await Promise.all(runs);
    expect(hers && told(hers)).toEqual(['calendar_tool: calendar of alice', 'mail_tool: mail of alice']);
    expect(his && told(his)).toEqual(['calendar_tool: calendar of bob', 'mail_tool: mail of bob']);
    expect(callsAt(calendar).toSorted()).toEqual(['calendar_tool alice 200', 'calendar_tool bob 200']);
    expect(callsAt(mail).toSorted()).toEqual(['mail_tool alice 200', 'mail_tool bob 200']);
    expect(exchanged(stage.sts)).toHaveLength(4);
  });

  test('when one run ends between the other one’s calls', async () => {
    const gate = createGate();
    const calendar = await stage.server('calendar', {
      onCall: (_tool, { sub }) => (sub === 'alice' ? gate.wait() : undefined),
    });
    const model = new TestModel([call('calendar_tool'), call('calendar_tool'), 'Done.']);
    const runner = stage.runner(agentOf(model, [stage.toolset(calendar)]));
    const hers = stage.run(runner, 'alice');
    await gate.reached(1);
    const his = await stage.run(runner, 'bob');
    expect(told(his)).toEqual(Array(2).fill('calendar_tool: calendar of bob'));
    expect(stage.broker.stats()).toMatchObject({ delegations: 1, entries: 1 });
    gate.open();
    expect(told(await hers)).toEqual(Array(2).fill('calendar_tool: calendar of alice'));
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued', 'bob calendar issued']);
  });

  test('when both come by the getter, which is told of no more than the session', async () => {
    const tokens = new Map<string, string>();
    stage = await setStage({
      plugin: { subjectToken: ({ userContent }) => tokens.get(userContent?.parts?.[0]?.text ?? '') },
    });
    const gate = createGate();
    const calendar = await stage.server('calendar', { onCall: () => gate.wait() });
    const model = new TestModel([call('calendar_tool'), 'Done.']);
    const runner = stage.runner(agentOf(model, [stage.toolset(calendar)]));
    for (const sub of ['alice', 'bob']) tokens.set(sub, await subjectToken(stage.sts, sub));
    const runs = ['alice', 'bob'].map((sub) => stage.runPlain(runner, { message: sub }));
    await gate.reached(2);
    gate.open();
    expect((await Promise.all(runs)).flatMap(told)).toEqual([
      'calendar_tool: calendar of alice',
      'calendar_tool: calendar of bob',
    ]);
  });

  test('when they come in turn: a later run never meets what an earlier one left', async () => {
    stage = await setStage({ broker: { retention: 'subject' } });
    const calendar = await stage.server('calendar', { requireTokenForDiscovery: true });
    const model = new TestModel([call('calendar_tool'), 'Done.']);
    const runner = stage.runner(agentOf(model, [stage.toolset(calendar)]));
    for (const sub of ['alice', 'bob', 'alice', 'bob']) {
      expect(told(await stage.run(runner, sub))).toEqual([`calendar_tool: calendar of ${sub}`]);
    }
    expect(calendar.requests.filter(({ status }) => status === 403)).toEqual([]);
  });
});
