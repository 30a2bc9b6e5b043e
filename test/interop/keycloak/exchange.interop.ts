import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import { keycloak as dialect } from '../../../src/dialects/index.ts';
import { expectNoLeak } from '../../support/leaks.ts';
import { TOKEN_LIFESPAN_S } from './realm.ts';
import { describeKeycloak, refusal, signIn, startAgent, verified } from './support.ts';

describeKeycloak('exchange at Keycloak', () => {
  test('each server gets a token of its own, for the same user, once', async () => {
    const agent = startAgent();
    const subjectToken = await signIn('alice');
    const run = agent.broker.begin({ subjectToken });

    const calendar = await agent.broker.token(run, 'calendar');
    const files = await agent.broker.token(run, 'files');
    for (const [token, audience] of [
      [calendar, 'calendar'],
      [files, 'files'],
    ] as const) {
      const { payload } = await verified(token, audience);
      expect(payload.sub).toBe(decodeJwt(subjectToken).sub);
      expect(payload.azp).toBe('agent');
      // Keycloak counts from a moment before it answers.
      expect(token.expiresInMs).toBeGreaterThan((TOKEN_LIFESPAN_S - 30) * 1000);
      expect(token.expiresInMs).toBeLessThanOrEqual(TOKEN_LIFESPAN_S * 1000);
    }
    expect(agent.requests.map((form) => form.getAll('audience'))).toEqual([['calendar'], ['files']]);

    expect(await agent.broker.token(run, 'calendar')).toBe(calendar);
    expect(await agent.broker.token(run, 'files')).toBe(files);
    expect(agent.broker.peek(run, 'calendar')).toBe(calendar);
    expect(agent.requests).toHaveLength(2);
    expectNoLeak([calendar, run, agent.broker.stats()], [...agent.secrets(), calendar.accessToken]);
  });

  test('two users never get the same token', async () => {
    const agent = startAgent();
    const subs = [];
    for (const user of ['alice', 'bob']) {
      const run = agent.broker.begin({ subjectToken: await signIn(user), session: 'shared' });
      subs.push((await verified(await agent.broker.token(run, 'calendar'), 'calendar')).payload.sub);
    }
    expect(new Set(subs).size).toBe(2);
    expect(agent.requests).toHaveLength(2);
  });

  test('calls at the same time make one exchange', async () => {
    const agent = startAgent();
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    const tokens = await Promise.all(Array.from({ length: 10 }, () => agent.broker.token(run, 'calendar')));
    expect(new Set(tokens).size).toBe(1);
    expect(agent.requests).toHaveLength(1);
  });

  test('one token can be for two servers, when that is what is asked for', async () => {
    const agent = startAgent();
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    const both = await agent.broker.token(run, { audience: ['calendar', 'files'] });
    expect(both.claims?.aud).toEqual(['calendar', 'files']);
  });

  test('a server that the user may not use is denied, also beside one that the user may', async () => {
    const agent = startAgent();
    const run = agent.broker.begin({ subjectToken: await signIn('bob') });
    for (const audience of ['files', ['calendar', 'files']]) {
      const error = await refusal(agent, run, { audience });
      expect(error).toMatchObject({ code: 'sts_error', failure: 'denied', oauthError: 'invalid_request' });
      expect(error.message).toContain('Requested audience not available: files');
    }
    await verified(await agent.broker.token(run, 'calendar'), 'calendar');
  });

  test('a scope that is asked for is granted, and tokens of different scope are kept apart', async () => {
    const agent = startAgent();
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    const read = await agent.broker.token(run, { audience: 'calendar', scope: 'calendar.read' });
    const plain = await agent.broker.token(run, 'calendar');
    expect((await verified(read, 'calendar')).payload.scope).toBe('calendar.read');
    expect(read.scope).toBe('calendar.read');
    expect((await verified(plain, 'calendar')).payload.scope).toBe('');
  });

  test('a scope can open a server that is closed without it', async () => {
    const agent = startAgent();
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    expect(await refusal(agent, run, 'notes')).toMatchObject({ failure: 'denied' });
    const token = await agent.broker.token(run, { audience: 'notes', scope: 'to-notes' });
    await verified(token, 'notes');
  });

  test('a scope that Keycloak grants without being asked is taken only when it is known to do so', async () => {
    const subjectToken = await signIn('alice');
    const target = { audience: 'calendar', scope: 'calendar.read' };
    const knowing = startAgent({ clientId: 'agent-profile' });
    const token = await knowing.broker.token(knowing.broker.begin({ subjectToken }), target);
    expect(token.scope?.split(' ').sort()).toEqual(['calendar.read', 'profile']);

    const strict = startAgent({ clientId: 'agent-profile', dialect: dialect({ defaultScopes: [] }) });
    const run = strict.broker.begin({ subjectToken });
    const error = await refusal(strict, run, target);
    expect(error).toMatchObject({ code: 'issued_token_rejected', failure: 'misconfigured' });
    expect(error.message).toContain('scope');
    await strict.broker.token(run, { ...target, scope: 'calendar.read profile' });
  });
});
