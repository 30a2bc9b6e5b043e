import { decodeJwt } from 'jose';
import { expect, test, vi } from 'vitest';
import type { ExchangeEvent } from '../../../src/index.ts';
import { createClock } from '../../support/clock.ts';
import { TOKEN_LIFESPAN_S } from './realm.ts';
import { describeKeycloak, isActive, refusal, signIn, startAgent, verified } from './support.ts';

const MARGIN_MS = 10_000;

describeKeycloak('expiry at Keycloak', () => {
  test('a token is used until shortly before its end, then another is exchanged', async () => {
    const clock = createClock();
    const agent = startAgent({}, { now: clock.now, marginMs: MARGIN_MS, refreshAhead: false });
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    const first = await agent.broker.token(run, 'calendar');
    const end = (first.claims?.exp ?? 0) - MARGIN_MS;

    clock.advance(Math.min(end, clock.now() + TOKEN_LIFESPAN_S * 1000 - MARGIN_MS) - clock.now() - 1);
    expect(await agent.broker.token(run, 'calendar')).toBe(first);
    clock.advance(end - clock.now());
    const second = await agent.broker.token(run, 'calendar');
    expect(second.accessToken).not.toBe(first.accessToken);
    await verified(second, 'calendar');
    expect(agent.requests).toHaveLength(2);
  });

  test('no token is used longer than the user’s own, although Keycloak lets it last longer', async () => {
    const clock = createClock();
    const events: ExchangeEvent[] = [];
    const observer = { exchange: (event: ExchangeEvent) => void events.push(event) };
    const agent = startAgent({}, { now: clock.now, observer });
    const subjectToken = await signIn('alice', 'front-end-minute');
    const subjectEnd = (decodeJwt(subjectToken).exp ?? 0) * 1000;
    const run = agent.broker.begin({ subjectToken });

    const token = await agent.broker.token(run, 'calendar');
    expect(token.claims?.exp).toBeGreaterThan(subjectEnd);
    expect(events[0]?.usableUntil).toBeLessThanOrEqual(subjectEnd);
    clock.advance(subjectEnd - clock.now());
    const error = await refusal(agent, run, 'calendar');
    expect(error).toMatchObject({ code: 'subject_expired', failure: 'reauthentication_required' });
    expect(agent.requests).toHaveLength(1);
  });

  test('a user’s token that has expired by Keycloak’s clock: the user must sign in again', async () => {
    const subjectToken = await signIn('alice', 'front-end-brief');
    await vi.waitUntil(async () => !(await isActive(subjectToken)), { timeout: 10_000 });
    // By our own clock, which is late, it has not.
    const late = createClock(Date.now() - 60_000);
    const agent = startAgent({}, { now: late.now });
    const run = agent.broker.begin({ subjectToken });
    const error = await refusal(agent, run, 'calendar');
    expect(error).toMatchObject({
      ...{ code: 'sts_error', status: 400, oauthError: 'invalid_request' },
      failure: 'reauthentication_required',
    });
    const again = agent.broker.begin({ subjectToken: await signIn('alice') });
    await verified(await agent.broker.token(again, 'calendar'), 'calendar');
  });
});
