import { expect, test } from 'vitest';
import { expectNoLeak } from '../support/leaks.ts';
import {
  AGENT,
  callsAt,
  configOf,
  message,
  rpc,
  send,
  serve,
  setStage,
  startSts,
  tokenService,
} from './support.ts';

test('each server gets a token of this user, for itself only, with the agent as actor', async () => {
  const stage = await setStage();
  const [calendar, mail] = [await stage.mcp('calendar'), await stage.mcp('mail')];
  const server = await serve(configOf(stage, [calendar, mail]));

  const { status, body } = await send(server, await stage.token('alice'));

  expect(status).toBe(200);
  expect(body.result.status.state).toBe('completed');
  expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
  expect(callsAt(mail)).toEqual([`alice for mail by ${AGENT}: 200`]);
  expect(stage.sts.exchanges.map(({ audience, outcome }) => `${audience} ${outcome}`)).toEqual([
    'calendar issued',
    'mail issued',
  ]);
});

test('two users at once are each themselves at every server', async () => {
  const stage = await setStage();
  const [calendar, mail] = [await stage.mcp('calendar'), await stage.mcp('mail')];
  const server = await serve(configOf(stage, [calendar, mail]));
  const [alice, bob] = [await stage.token('alice'), await stage.token('bob')];

  const answers = await Promise.all([alice, bob, alice, bob].map((token) => send(server, token)));

  expect(answers.map(({ body }) => body.result.status.state)).toEqual(Array(4).fill('completed'));
  const who = (user: string): RegExp => new RegExp(`(calendar|mail) of ${user}`, 'g');
  answers.forEach(({ text }, index) => {
    const [own, other] = index % 2 === 0 ? ['alice', 'bob'] : ['bob', 'alice'];
    expect(text.match(who(own as string))?.length).toBe(2);
    expect(text).not.toMatch(who(other as string));
  });
  expect(callsAt(mail).toSorted()).toEqual(
    ['alice', 'alice', 'bob', 'bob'].map((user) => `${user} for mail by ${AGENT}: 200`),
  );
});

test('servers of two token services get their tokens each from its own', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const config = configOf(stage, [calendar]);
  // The second trusts the users of the first.
  const partner = await startSts([], {
    trustedIssuers: [{ issuer: stage.sts.issuer, jwksUri: stage.sts.jwksUri }],
  });
  const files = await stage.mcp('files', { issuer: partner });
  const server = await serve({
    ...config,
    model: {
      ...{ type: 'scripted', model: 'script' },
      turns: [
        {
          calls: [
            { name: 'calendar_tool', args: {} },
            { name: 'files_tool', args: {} },
          ],
        },
        { text: 'All done.' },
      ],
    },
    http_tools: [
      { name: 'calendar', params: { url: calendar.url }, sts_audience: 'calendar' },
      {
        ...{ name: 'files', params: { url: files.url } },
        token_exchange: { audiences: ['files'], token_service: 'partner' },
      },
    ],
    token_exchange: {
      token_services: { sts: tokenService(stage.sts), partner: tokenService(partner) },
      default_token_service: 'sts',
    },
  });

  const { text } = await send(server, await stage.token('alice'));

  expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
  expect([text, callsAt(files)]).toEqual([expect.any(String), [`alice for files by ${AGENT}: 200`]]);
  expect(stage.sts.exchanges.map(({ audience }) => audience.join())).toEqual(['calendar']);
  expect(partner.exchanges.map(({ audience }) => audience.join())).toEqual(['files']);
});

test('a server without a target gets no token, but its static header fields', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const open = await stage.mcp('open');
  const config = configOf(stage, [calendar, open]);
  const server = await serve({
    ...config,
    http_tools: [
      { name: 'calendar', params: { url: calendar.url }, sts_audience: 'calendar' },
      { name: 'open', params: { url: open.url } },
    ],
  });

  await send(server, await stage.token('alice'));

  expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
  // This one refuses calls without a token; what matters is that none came.
  expect(callsAt(open)).toEqual(['undefined for undefined by undefined: 401']);
  expect(open.requests.filter(({ sub }) => sub !== undefined)).toEqual([]);
});

test('a run whose tokens are refused tells the model, and sends the server nothing', async () => {
  const stage = await setStage();
  const secret = await stage.mcp('secret');
  const server = await serve(configOf(stage, [secret]));

  const { text, body } = await send(server, await stage.token('alice'));

  expect(body.result.status.state).toBe('completed');
  expect(text).toContain('sts_error');
  expect(callsAt(secret)).toEqual([]);
});

test('no token shows in answers, events, tasks, sessions or the log', async () => {
  const stage = await setStage();
  const [calendar, mail] = [
    await stage.mcp('calendar'),
    await stage.mcp('mail', { requireTokenForDiscovery: true }),
  ];
  const warnings: string[] = [];
  const server = await serve(configOf(stage, [calendar, mail]), { onWarning: (text) => warnings.push(text) });
  const alice = await stage.token('alice');

  const sent = await send(server, alice);
  const { id, contextId } = sent.body.result;
  const asked = await rpc(server, alice, 'tasks/get', { id, historyLength: 100 });
  const streamed = await rpc(server, alice, 'message/stream', message('Again.', { contextId }));

  expect(callsAt(mail).length).toBe(2);
  // The subject's, the agent's own, and one for each server.
  expect(stage.tokens.length).toBeGreaterThanOrEqual(4);
  expectNoLeak([sent.text, asked.text, streamed.text, server, warnings, stage.log], stage.tokens);
});
