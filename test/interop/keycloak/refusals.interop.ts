import { expect, test } from 'vitest';
import { keycloak as dialect } from '../../../src/dialects/index.ts';
import { type FailureClass, type Target, TOKEN_TYPE } from '../../../src/index.ts';
import { fakeJwt, seconds } from '../../support/jwt.ts';
import { admin, describeKeycloak, idOf, keycloak, refusal, signIn, startAgent } from './support.ts';

interface Refused {
  readonly what: string;
  readonly clientId?: string;
  readonly secret?: string;
  readonly target?: Target;
  readonly status: number;
  readonly oauthError: string;
  readonly failure: FailureClass;
  readonly says: string;
}

const REFUSED: readonly Refused[] = [
  {
    what: 'a server that Keycloak does not know',
    target: { audience: 'nowhere' },
    ...{ status: 400, oauthError: 'invalid_client', failure: 'misconfigured', says: 'Audience not found' },
  },
  {
    what: 'a scope that Keycloak does not know',
    target: { audience: 'calendar', scope: 'nonsense' },
    ...{ status: 400, oauthError: 'invalid_scope', failure: 'misconfigured', says: 'Invalid scopes' },
  },
  {
    what: 'an agent whom the user’s token is not for',
    clientId: 'agent-outsider',
    ...{ status: 403, oauthError: 'access_denied', failure: 'misconfigured', says: 'not within the token' },
  },
  {
    what: 'an agent that may not exchange',
    clientId: 'agent-disabled',
    ...{ status: 400, oauthError: 'invalid_request', failure: 'misconfigured', says: 'not enabled' },
  },
  {
    what: 'an agent with a wrong secret',
    secret: 'fake-but-wrong-secret',
    ...{ status: 401, oauthError: 'unauthorized_client', failure: 'misconfigured', says: 'credentials' },
  },
  {
    what: 'an agent that Keycloak does not know',
    clientId: 'agent-unknown',
    ...{ status: 401, oauthError: 'invalid_client', failure: 'misconfigured', says: 'credentials' },
  },
  {
    what: 'an agent that the user has not consented to',
    clientId: 'agent-asking',
    ...{ status: 400, oauthError: 'invalid_scope', failure: 'consent_required', says: 'Missing consents' },
  },
];

describeKeycloak('what Keycloak refuses', () => {
  test.each(REFUSED)('refuses $what: $failure', async ({ clientId, secret, target, says, ...expected }) => {
    const { what: _, ...error } = expected;
    const agent = startAgent({
      ...(clientId === undefined ? {} : { clientId }),
      ...(secret && { clientAuth: { method: 'client_secret_basic', clientSecret: secret } }),
    });
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    const refused = await refusal(agent, run, target ?? { audience: 'calendar' });
    expect(refused).toMatchObject({ code: 'sts_error', retryable: false, ...error });
    expect(refused.message).toContain(says);

    // It would only say so again, so it is not asked again.
    expect(await refusal(agent, run, target ?? { audience: 'calendar' })).toBe(refused);
    expect(agent.requests).toHaveLength(1);
  });

  test('a token that is none of the realm’s: the user must sign in again', async () => {
    const agent = startAgent();
    const { issuer } = keycloak();
    const forged = fakeJwt({ iss: issuer, sub: 'alice', aud: 'agent', exp: seconds(Date.now()) + 300 });
    await expectReauthentication(agent, forged);
  });

  test('a user who has signed out, and one whose account is closed, must sign in again', async () => {
    const agent = startAgent();
    const [carol, dave] = [await signIn('carol'), await signIn('dave')];
    const run = agent.broker.begin({ subjectToken: carol });
    await agent.broker.token(run, 'calendar');

    await admin('POST', `/users/${await idOf('users', 'carol')}/logout`);
    await admin('PUT', `/users/${await idOf('users', 'dave')}`, { enabled: false });
    for (const subjectToken of [carol, dave]) await expectReauthentication(agent, subjectToken);

    const again = agent.broker.begin({ subjectToken: await signIn('carol') });
    await agent.broker.token(again, 'calendar');
  });

  async function expectReauthentication(
    agent: ReturnType<typeof startAgent>,
    subjectToken: string,
  ): Promise<void> {
    const run = agent.broker.begin({ subjectToken });
    const error = await refusal(agent, run, 'calendar');
    expect(error).toMatchObject({
      ...{ code: 'sts_error', status: 400, oauthError: 'invalid_request' },
      failure: 'reauthentication_required',
    });
  }
});

describeKeycloak('what Keycloak would do otherwise than asked', () => {
  test.each<{ readonly what: string; readonly target: Target }>([
    { what: 'resource', target: { audience: 'calendar', resource: 'https://calendar.example.com/' } },
    { what: 'audience', target: { scope: 'calendar.read' } },
    { what: 'requestedTokenType', target: { audience: 'calendar', requestedTokenType: TOKEN_TYPE.jwt } },
  ])('it is not even asked when the $what is not of its kind', async ({ what, target }) => {
    const agent = startAgent();
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    const error = await refusal(agent, run, target);
    expect(error).toMatchObject({ code: 'exchange_unsupported', failure: 'misconfigured' });
    expect(error.message).toContain(`"${what}"`);
    expect(agent.requests).toHaveLength(0);
  });

  test('it is not even asked when an actor would be ignored', async () => {
    const actorToken = await signIn('bob');
    const agent = startAgent({}, { actor: () => actorToken });
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    expect(await refusal(agent, run, 'calendar')).toMatchObject({ code: 'exchange_unsupported' });
    expect(agent.requests).toHaveLength(0);
  });

  test('a token is refused that Keycloak issues in disregard of the resource', async () => {
    const agent = startAgent({ dialect: undefined });
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    const error = await refusal(agent, run, { resource: 'https://calendar.example.com/' });
    expect(error).toMatchObject({ code: 'issued_token_rejected', failure: 'misconfigured' });
    expect(error.message).toContain('"aud"');
  });

  test('a token is refused that Keycloak issues in disregard of the actor', async () => {
    const actorToken = await signIn('bob');
    // This release has the feature in name only.
    const service = { dialect: dialect({ delegation: true }) };
    const agent = startAgent(service, { actor: () => actorToken });
    const run = agent.broker.begin({ subjectToken: await signIn('alice') });
    const error = await refusal(agent, run, 'calendar');
    expect(error).toMatchObject({ code: 'issued_token_rejected', failure: 'misconfigured' });
    expect(error.message).toContain('"act"');
    expect(agent.requests[0]?.get('actor_token')).toBe(actorToken);
  });
});
