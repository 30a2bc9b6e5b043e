import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { decodeJwt } from 'jose';
import { expect, it } from 'vitest';
import { createExpressApp } from '../../examples/inbound/express.ts';
import { createHonoApp } from '../../examples/inbound/hono.ts';
import type { Settings } from '../../examples/inbound/settings.ts';
import { createWebHandler } from '../../examples/inbound/web.ts';
import { createBroker, createTokenService, currentDelegation, type Delegation } from '../../src/index.ts';
import { closedAtEnd } from '../support/broker.ts';
import { listen, runsEnded } from '../support/inbound.ts';
import { startSts } from '../support/sts.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const events = (...data: string[]): string => data.map((each) => `data: ${each}\n\n`).join('');
const SERVERS = [
  [
    'express',
    (settings: Settings) => createServer(createExpressApp(settings)),
    events('When?', 'alice at calendar'),
  ],
  [
    'hono',
    (settings: Settings) => createServer(getRequestListener(createHonoApp(settings).fetch)),
    events('When?', 'alice at calendar'),
  ],
  [
    'web',
    (settings: Settings) => createServer(getRequestListener(createWebHandler(settings))),
    'for alice: When? alice at calendar',
  ],
] as const;

it.each(SERVERS)('answers a user as that user with the example for %s', async (_, serve, expected) => {
  const sts = await startSts({
    clients: [{ clientId: 'assistant', authentication: 'none', audiences: ['calendar'] }],
  });
  const tokenService = createTokenService({ issuer: sts.issuer, clientId: 'assistant' });
  const broker = closedAtEnd(createBroker({ tokenService }));
  /** An agent that says whose token a tool of its calendar server would get. */
  async function* ask(question: string): AsyncGenerator<string> {
    yield question;
    const token = await broker.token(currentDelegation() as Delegation, 'calendar');
    const { sub, aud } = decodeJwt(token.accessToken);
    yield `${sub} at ${aud}`;
  }
  const { issuer, jwksUri } = sts;
  const origin = await listen(serve({ broker, issuer, jwksUri, ask }));
  const asks = (token: string) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    return fetch(`${origin}/ask`, { method: 'POST', headers, body: '{"question":"When?"}' });
  };
  const ended = runsEnded(broker);
  const answer = await asks(await sts.mintSubjectToken({ sub: 'alice', audience: 'assistant' }));
  expect(await answer.text()).toBe(expected);
  await ended;
  const elsewhere = await asks(await sts.mintSubjectToken({ sub: 'alice', audience: 'somebody else' }));
  expect(elsewhere.status).toBe(401);
  expect(broker.stats()).toMatchObject({ delegations: 0, exchanges: 1 });
});

it.each(SERVERS.map(([name]) => `examples/inbound/${name}.ts`))(
  'docs/inbound.md shows %s as it is compiled and run',
  (path) => {
    const regions = [...read(path).matchAll(/\/\/ #region docs\n(.*?) *\/\/ #endregion/gs)];
    const code = regions.map(([, region = '']) => dedented(region)).join('\n\n');
    const blocks = [...read('docs/inbound.md').matchAll(/<!-- region: (\S+) -->\n```ts\n(.*?)```/gs)];
    expect(code).toBeTruthy();
    expect(blocks.find(([, shown]) => shown === path)?.[2]?.trim()).toBe(code);
  },
);

function dedented(text: string): string {
  const indent = /^ */.exec(text)?.[0] ?? '';
  return text.replaceAll(new RegExp(`^${indent}`, 'gm'), '').trim();
}
