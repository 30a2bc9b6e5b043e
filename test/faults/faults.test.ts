import { describe, expect, test } from 'vitest';
import { never } from '../support/loopback.ts';
import { createOnlooker } from './onlooker.ts';
import type { Places } from './places.ts';
import type { FaultResult, FaultRow } from './row.ts';
import { bare } from './rows/handlers.ts';
import { ROWS } from './rows.ts';
import { runRow } from './run-row.ts';
import { showing } from './witness.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** For `npm run test:faults`, which prints it. */
    fault?: FaultResult;
  }
}

describe('the fault', () => {
  for (const row of ROWS) {
    test(row.fault, async ({ task }) => {
      const result = await runRow(row);
      task.meta.fault = result;
      const { got, leaks, sts, mcp } = result;
      const expected = { got: result.expected, leaks: [], sts: row.sts, mcp: row.mcp };
      expect({ got, leaks, sts: sts.got, mcp: mcp.got }).toEqual(expected);
    });
  }
});

test('every fault has a name of its own', () => {
  const names = ROWS.map(({ fault }) => fault);
  expect(new Set(names).size).toBe(names.length);
});

describe('a row is not as expected when', () => {
  const nothing = { outcome: [], sts: 0, mcp: 0 } as const;

  test.each<[string, Partial<FaultRow>, Partial<FaultResult>]>([
    [
      'its outcome is another',
      { outcome: 'ok', server: () => bare(403) },
      { got: 'server_rejected_token denied', leaks: [] },
    ],
    ['the STS is asked more often', { outcome: 'ok', sts: 0 }, { sts: { expected: 0, got: 1 } }],
    ['the MCP server is asked more often', { outcome: 'ok', mcp: 0 }, { mcp: { expected: 0, got: 1 } }],
    [
      'it does not come to its end',
      { play: () => Promise.reject(new Error('oh')) },
      { got: 'the row itself failed: Error: oh' },
    ],
  ])('%s', async (_when, row, result) => {
    const played = await runRow({ fault: 'a test', outcome: 'ok', sts: 1, mcp: 1, ...row });
    expect(played).toMatchObject({ ...result, ok: false });
  });

  test.each<[string, NonNullable<FaultRow['play']>, string]>([
    [
      'a secret is printed',
      ({ places }) => console.log(subjectToken(places)),
      'a secret shows in the console',
    ],
    [
      'a part of a secret is written to a stream',
      ({ places }) => void process.stderr.write(`${subjectToken(places).split('.')[1]}`),
      'a secret shows in the console',
    ],
    [
      'a secret shows in something that is printable',
      ({ places }) => places.watch('a thing', { deep: { inside: subjectToken(places) } }),
      'a secret shows in a thing',
    ],
    [
      'another server sees a request',
      ({ places }) => fetch(places.elsewhere.origin),
      'another server saw a request',
    ],
    [
      'the MCP server sees the subject token',
      ({ places }) => ask(places.mcp.origin, subjectToken(places)),
      'the MCP server saw a token that is not for it',
    ],
    [
      'the MCP server sees a request without a token',
      ({ places }) => fetch(places.mcp.origin),
      'the MCP server saw a request without a token',
    ],
    ['a timer is left open', () => void setTimeout(() => {}, 1_500), 'left open: Timeout'],
    [
      'an answer is left open',
      ({ places }) => {
        places.sts.handle(never);
        void fetch(places.sts.origin).catch(() => {});
        return places.sts.arrived(1);
      },
      'left open: 1 answers',
    ],
    [
      'a failure is left to nobody',
      () => void Promise.reject(new Error('oh')),
      'a rejection was not handled',
    ],
  ])('%s', async (_when, play, leak) => {
    const { leaks, ok } = await runRow({ fault: 'a test', ...nothing, play }, 250);
    expect(leaks).toEqual([leak]);
    expect(ok).toBe(false);
  });

  test('the MCP server sees a token that was made for another', async () => {
    const play: FaultRow['play'] = async ({ broker, places, run }) => {
      const { accessToken } = await broker.token(run(), 'mail');
      await ask(places.mcp.origin, accessToken);
    };
    const { leaks } = await runRow({ fault: 'a test', outcome: [], sts: 1, mcp: 1, play });
    expect(leaks).toEqual(['the MCP server saw a token that is not for it']);
  });

  test('the MCP server sees its token elsewhere than in its header field', async () => {
    const play: FaultRow['play'] = async ({ broker, places, run }) => {
      const { accessToken } = await broker.token(run(), 'calendar');
      await ask(`${places.mcp.origin}/?token=${accessToken}`, accessToken);
    };
    const { leaks } = await runRow({ fault: 'a test', outcome: [], sts: 1, mcp: 1, play });
    expect(leaks).toEqual(['the MCP server saw a secret beside the token']);
  });
});

test('what a broker tells is looked at as events, audit records, spans and metrics', async () => {
  const onlooker = await createOnlooker();
  const secret = 'a-secret-in-every-field';
  const told = { audiences: [secret], resources: [secret], sub: secret, clientId: secret, profile: secret };
  const event = {
    ...told,
    id: 'one',
    reason: 'demand',
    outcome: 'issued',
    tokenEndpoint: 'https://sts.example.com',
  };
  const { observer } = onlooker;
  await observer.trace?.('exchange', event as never, async () => {
    observer.exchange?.({ ...event, at: 0, durationMs: 1 } as never);
  });
  expect(showing(await onlooker.heard(), [secret])).toEqual(
    ['an event', 'an audit record', 'a span', 'a metric'].map((name) => `a secret shows in ${name}`),
  );
});

function subjectToken({ secrets }: Places): string {
  return [...secrets].find((secret) => secret.split('.').length === 3) as string;
}

function ask(url: string, token: string): Promise<Response> {
  return fetch(url, { headers: { authorization: `Bearer ${token}` } });
}
