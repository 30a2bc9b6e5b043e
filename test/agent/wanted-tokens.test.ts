// What was asked for, S4 to S7, end to end over HTTP: which token goes where, and when it is gone.
import { decodeJwt } from 'jose';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createGate } from '../mcp/support.ts';
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
  tokenService,
  tokensAt,
} from './support.ts';

const stateOf = ({ body }: Answer): unknown => body.result?.status.state;
const issued = (audience: string, sub = 'alice'): string => `${audience} for ${sub} by ${AGENT}: issued`;

/** Who a token is of, what for, and who acts. */
function claimsOf(token: string | undefined): unknown {
  if (token === undefined) return undefined;
  const { sub, aud, act } = decodeJwt(token);
  return `${aud} for ${sub} by ${Object(act).sub}`;
}

/** An agent with these servers, which keep the tokens that they get. */
async function setKeepers(stage: Stage, turns: readonly (readonly string[])[], more: object = {}) {
  const [calendar, mail] = [await startKeeper('calendar_tool'), await startKeeper('mail_tool')];
  const server = await serve({
    ...configOf(stage, []),
    model: playing(...turns),
    http_tools: [
      { name: 'calendar', params: { url: calendar.url }, sts_audience: 'calendar' },
      { name: 'mail', params: { url: mail.url }, sts_audience: 'mail' },
    ],
    ...more,
  });
  return { server, calendar, mail };
}

describe('S4: the header of a call is read from what is kept, by the closure of its server', () => {
  test('all calls to one server carry the very same token, those to another one another', async () => {
    const stage = await setStage();
    const { server, calendar, mail } = await setKeepers(stage, [
      ['calendar_tool'],
      ['mail_tool', 'calendar_tool', 'mail_tool'],
      ['calendar_tool', 'calendar_tool'],
    ]);

    await send(server, await stage.token('alice'));

    expect([tokensAt(calendar).length, tokensAt(mail).length]).toEqual([4, 2]);
    const [one, other] = [new Set(tokensAt(calendar)), new Set(tokensAt(mail))];
    expect([[...one].map(claimsOf), [...other].map(claimsOf)]).toEqual([
      [`calendar for alice by ${AGENT}`],
      [`mail for alice by ${AGENT}`],
    ]);
  });

  test('without the STS, once the token is there', async () => {
    const stage = await setStage();
    const calendar = await stage.mcp('calendar', { onCall: () => stage.sts.close() });
    const model = playing(['calendar_tool'], ['calendar_tool'], ['calendar_tool']);
    const server = await serve(configOf(stage, [calendar], { model }));

    expect(stateOf(await send(server, await stage.token('alice')))).toBe('completed');

    expect(callsAt(calendar)).toEqual(Array(3).fill(`alice for calendar by ${AGENT}: 200`));
  });

  test('also by two users at once, each of whom has a token of their own', async () => {
    const stage = await setStage();
    const turns = Array(3).fill(['calendar_tool', 'mail_tool']);
    const { server, calendar } = await setKeepers(stage, turns);
    const users = await Promise.all(['alice', 'bob'].map((user) => stage.token(user)));

    await Promise.all(users.map((user) => send(server, user)));

    expect(tokensAt(calendar)).toHaveLength(6);
    expect([...new Set(tokensAt(calendar))].map(claimsOf).toSorted()).toEqual([
      `calendar for alice by ${AGENT}`,
      `calendar for bob by ${AGENT}`,
    ]);
  });
});

describe('S5: a tool has the audience of its toolset', () => {
  test('two toolsets of one URL have each their own', async () => {
    const stage = await setStage();
    const keeper = await startKeeper('read', 'write');
    const server = await serve({
      ...configOf(stage, []),
      model: playing(['read', 'write'], ['write'], ['read']),
      http_tools: [
        { name: 'reading', params: { url: keeper.url }, tools: ['read'], sts_audience: 'calendar' },
        { name: 'writing', params: { url: keeper.url }, tools: ['write'], sts_audience: 'mail' },
      ],
    });

    await send(server, await stage.token('alice'));

    const calls = keeper.of('tools/call').map(({ tool }, index) => {
      return `${tool}: ${claimsOf(tokensAt(keeper)[index])}`;
    });
    const [read, write] = [`read: calendar for alice by ${AGENT}`, `write: mail for alice by ${AGENT}`];
    expect(calls.toSorted()).toEqual([read, read, write, write]);
    expect(exchangesAt(stage.sts).toSorted()).toEqual([issued('calendar'), issued('mail')]);
  });

  test('of two tools of one name the first has it, and the other server is neither called nor exchanged for', async () => {
    const stage = await setStage();
    const [calendar, mail] = [await startKeeper('look'), await startKeeper('look', 'mail_tool')];
    const server = await serve({
      ...configOf(stage, []),
      model: playing(['look'], ['look']),
      http_tools: [
        { name: 'calendar', params: { url: calendar.url }, sts_audience: 'calendar' },
        { name: 'mail', params: { url: mail.url }, sts_audience: 'mail' },
      ],
    });

    expect(stateOf(await send(server, await stage.token('alice')))).toBe('completed');

    expect(tokensAt(calendar).map(claimsOf)).toEqual(Array(2).fill(`calendar for alice by ${AGENT}`));
    expect(tokensAt(mail)).toEqual([]);
    expect(exchangesAt(stage.sts)).toEqual([issued('calendar')]);
    expect(stage.log.filter((line) => line.includes('is left out'))).toEqual([
      expect.stringMatching(/a tool of mail, .*look.*, is left out: calendar has one of this name/),
    ]);
  });
});

describe('S6: what is kept is kept by audience, within a session', () => {
  test('a token that one server refuses is made anew, and that of the other stays', async () => {
    const stage = await setStage();
    const [calendar, mail] = [await startKeeper('calendar_tool'), await stage.mcp('mail')];
    const server = await serve({
      ...configOf(stage, []),
      model: playing(['calendar_tool', 'mail_tool'], ['mail_tool'], ['calendar_tool']),
      http_tools: [
        { name: 'calendar', params: { url: calendar.url }, sts_audience: 'calendar' },
        { name: 'mail', params: { url: mail.url }, sts_audience: 'mail' },
      ],
    });
    mail.rejectNext(1);

    expect(stateOf(await send(server, await stage.token('alice')))).toBe('completed');

    expect(exchangesAt(stage.sts).toSorted()).toEqual([issued('calendar'), issued('mail'), issued('mail')]);
    expect(callsAt(mail).map((call) => call.slice(-3))).toEqual(['401', '200', '200']);
    expect(tokensAt(calendar)).toHaveLength(2);
    expect(new Set(tokensAt(calendar)).size).toBe(1);
  });

  test('what the STS refuses for one audience does not keep the other from its token', async () => {
    const stage = await setStage();
    const [secret, mail] = [await stage.mcp('secret'), await stage.mcp('mail')];
    const server = await serve(configOf(stage, [secret, mail]));

    const { text } = await send(server, await stage.token('alice'));

    expect(exchangesAt(stage.sts)).toEqual([`secret for alice by ${AGENT}: invalid_target`, issued('mail')]);
    expect(callsAt(secret)).toEqual([]);
    expect(callsAt(mail)).toEqual([`alice for mail by ${AGENT}: 200`]);
    expect(text).toContain('mail of alice');
  });

  test('two users who come to the session of one of them: the other gets in nowhere', async () => {
    const stage = await setStage();
    const mail = await stage.mcp('mail');
    const token_exchange = { token_services: { sts: tokenService(stage.sts) }, retention: 'subject' };
    const server = await serve(configOf(stage, [mail], { token_exchange }));
    const { body } = await send(server, await stage.token('alice'));
    const { contextId } = body.result;

    const refused = await send(server, await stage.token('bob'), { contextId });
    const own = await send(server, await stage.token('bob'));

    expect(refused.body.error.message).toContain('not yours');
    expect(stateOf(own)).toBe('completed');
    expect(callsAt(mail)).toEqual(['alice', 'bob'].map((user) => `${user} for mail by ${AGENT}: 200`));
    expect(exchangesAt(stage.sts)).toEqual([issued('mail'), issued('mail', 'bob')]);
  });
});

describe('S7: what a run had is gone when it ends', () => {
  const retained = ({ sts }: Stage, retention: string): Record<string, unknown> => ({
    token_exchange: { token_services: { sts: tokenService(sts) }, retention },
  });

  test.each([
    ['run', 4, 2],
    ['subject', 2, 1],
  ])(
    'so that under retention "%s" two runs of a session exchange %i times',
    async (retention, exchanged, made) => {
      const stage = await setStage();
      const turns = [['calendar_tool', 'mail_tool'], ['calendar_tool']];
      const { server, calendar, mail } = await setKeepers(stage, turns, retained(stage, retention));
      const alice = await stage.token('alice');

      const { body } = await send(server, alice);
      const second = await send(server, alice, { contextId: body.result.contextId });

      expect(second.body.result.contextId).toBe(body.result.contextId);
      expect([tokensAt(calendar).length, tokensAt(mail).length]).toEqual([4, 2]);
      expect(stage.sts.exchanges).toHaveLength(exchanged);
      expect([new Set(tokensAt(calendar)).size, new Set(tokensAt(mail)).size]).toEqual([made, made]);
    },
  );

  test('also where it is cancelled within a call', async () => {
    const stage = await setStage();
    const gate = createGate();
    onTestFinished(() => gate.open());
    const calendar = await stage.mcp('calendar', { onCall: () => gate.wait() });
    const server = await serve(configOf(stage, [calendar], retained(stage, 'run')));
    const alice = await stage.token('alice');
    const first = await rpc(server, alice, 'message/send', message('Go.', {}, { blocking: false }));
    await gate.reached(1);
    const open = calendar.openSessions;
    await rpc(server, alice, 'tasks/cancel', { id: first.body.result.id });
    // That in which the tools were listed for all may stay; the user's ends.
    await expect.poll(() => calendar.openSessions).toBeLessThan(open);
    gate.open();

    expect(stateOf(await send(server, alice))).toBe('completed');

    expect(exchangesAt(stage.sts)).toEqual([issued('calendar'), issued('calendar')]);
  });

  test('and not before the last of the runs that a user has in the session at once', async () => {
    const stage = await setStage();
    const gates = [createGate(), createGate()];
    onTestFinished(() => {
      for (const gate of gates) gate.open();
    });
    const waiting = [...gates];
    const calendar = await stage.mcp('calendar', { onCall: () => waiting.shift()?.wait() });
    const model = playing(['calendar_tool'], ['calendar_tool']);
    const server = await serve(configOf(stage, [calendar], { model, ...retained(stage, 'run') }));
    const alice = await stage.token('alice');
    const ask = (): Promise<Answer> => send(server, alice, { contextId: 'of-alice' });

    const first = ask();
    await gates[0]?.reached(1);
    const second = ask();
    await gates[1]?.reached(1);
    gates[0]?.open();
    expect(stateOf(await first)).toBe('completed');
    gates[1]?.open();
    expect(stateOf(await second)).toBe('completed');

    expect(callsAt(calendar)).toHaveLength(4);
    expect(exchangesAt(stage.sts)).toEqual([issued('calendar')]);
    await ask();
    expect(exchangesAt(stage.sts)).toEqual([issued('calendar'), issued('calendar')]);
  });
});
