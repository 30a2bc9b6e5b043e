// What was asked for, S11, end to end over HTTP: an exchange that is not needed is never made, and no two servers share a token.
import { decodeJwt } from 'jose';
import { describe, expect, test } from 'vitest';
import type { AgentServer } from '../../src/agent/types.ts';
import type { RawMcp } from '../support/raw-mcp.ts';
import {
  AGENT,
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

const NAMES = ['calendar', 'mail', 'files'] as const;
const USERS = Array.from({ length: 6 }, (_, index) => `user-${index}`);

/** An agent of three servers that keep the tokens they get, for six users. */
async function setKeepers(retention: string, turns: readonly (readonly string[])[]) {
  const stage = await setStage({ users: USERS.map((sub) => ({ sub })) });
  const keepers = await Promise.all(NAMES.map((name) => startKeeper(`${name}_tool`)));
  const server = await serve({
    ...configOf(stage, []),
    model: playing(...turns),
    http_tools: NAMES.map((name, index) => ({
      ...{ name, params: { url: keepers[index]?.url }, sts_audience: name },
    })),
    token_exchange: { token_services: { sts: tokenService(stage.sts) }, retention },
  });
  return { stage, keepers, server };
}

const MIXED = [['calendar_tool', 'mail_tool'], ['calendar_tool'], ['mail_tool', 'calendar_tool']];

/** Every user's runs, all users at once, some of them streaming. */
async function runAll(stage: Stage, server: AgentServer, times: number): Promise<void> {
  await Promise.all(
    USERS.map(async (sub, index) => {
      const token = await stage.token(sub);
      const method = index % 2 === 0 ? 'message/send' : 'message/stream';
      for (let run = 0; run < times; run += 1) {
        const { text } = await rpc(server, token, method, message('Go.'));
        expect(text).toContain('All done.');
      }
    }),
  );
}

/** How often each user's token was exchanged for each audience. */
function countsOf(stage: Stage): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of exchangesAt(stage.sts)) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
}

const countsFor = (audiences: readonly string[], count: number): Record<string, number> =>
  Object.fromEntries(
    USERS.flatMap((sub) => audiences.map((name) => [`${name} for ${sub} by ${AGENT}: issued`, count])),
  );

describe('S11: an exchange that is not needed is never made', () => {
  test('many runs of many users that call no tool make none', async () => {
    const { stage, server, keepers } = await setKeepers('run', []);

    await runAll(stage, server, 5);

    expect(countsOf(stage)).toEqual({});
    expect(keepers.flatMap(tokensAt)).toEqual([]);
  });

  test('each run makes one for each server that it calls, however often, and none for the server that it does not', async () => {
    const { stage, server, keepers } = await setKeepers('run', MIXED);

    await runAll(stage, server, 3);

    expect(countsOf(stage)).toEqual(countsFor(['calendar', 'mail'], 3));
    expect(keepers.map((keeper) => tokensAt(keeper).length)).toEqual([54, 36, 0]);
  });

  test('where tokens are kept for their user, all runs of one make one for each server', async () => {
    const { stage, server, keepers } = await setKeepers('subject', MIXED);

    await runAll(stage, server, 3);

    expect(countsOf(stage)).toEqual(countsFor(['calendar', 'mail'], 1));
    expect(keepers.map((keeper) => tokensAt(keeper).length)).toEqual([54, 36, 0]);
  });

  test('a message that is not let in makes none', async () => {
    const { stage, server, keepers } = await setKeepers('run', MIXED);
    const [elsewhere, refused] = [await stage.token('user-1', 'another-agent'), 'no-token'];

    const answers = [
      await send(server, elsewhere),
      await send(server, refused),
      await send(server, undefined),
    ];

    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401]);
    expect(countsOf(stage)).toEqual({});
    expect(keepers.flatMap(({ requests }) => requests)).toEqual([]);
  });
});

describe('S11: different servers never share a token', () => {
  const seenBy = ({ requests }: RawMcp): ReadonlySet<string> =>
    new Set(requests.flatMap(({ authorization }) => authorization?.replace(/^Bearer /, '') ?? []));

  test.each(['run', 'subject'])(
    'of many users at once: each token is seen by the one server that it is for (retention "%s")',
    async (retention) => {
      const { stage, server, keepers } = await setKeepers(retention, [...MIXED, ['files_tool']]);

      await runAll(stage, server, 2);

      const seen = keepers.map(seenBy);
      const count = USERS.length * (retention === 'run' ? 2 : 1);
      expect(seen.map(({ size }) => size)).toEqual(NAMES.map(() => count));
      expect(new Set(seen.flatMap((tokens) => [...tokens])).size).toBe(NAMES.length * count);
      for (const [index, name] of NAMES.entries()) {
        const claims = [...(seen[index] ?? [])].map((token) => decodeJwt(token));
        expect(new Set(claims.map(({ aud }) => aud))).toEqual(new Set([name]));
        expect(new Set(claims.map(({ sub }) => sub))).toEqual(new Set(USERS));
        expect(claims.map(({ act }) => Object(act).sub)).toEqual(claims.map(() => AGENT));
      }
    },
  );

  test('nor does any of them see the token that the user came with', async () => {
    const { stage, server, keepers } = await setKeepers('run', [...MIXED, ['files_tool']]);
    const token = await stage.token('user-1');

    await send(server, token);

    expect(keepers.map((keeper) => tokensAt(keeper).length)).toEqual([3, 2, 1]);
    // What they saw is of the same STS, so only the whole is the user's secret.
    const seen = keepers.flatMap(({ requests }) => requests).map((request) => JSON.stringify(request));
    expect(seen.some((request) => request.includes(token))).toBe(false);
  });
});
