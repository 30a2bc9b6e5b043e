import { createRemoteJWKSet, jwtVerify } from 'jose';
import { expect, test } from 'vitest';
import { bearerToken, runAs } from '../../../src/index.ts';
import { createDelegatedFetch } from '../../../src/mcp/index.ts';
import { json, type Loopback, startLoopback } from '../../support/loopback.ts';
import { describeKeycloak, keycloak, signIn, startAgent } from './support.ts';

describeKeycloak('servers that verify Keycloak’s tokens', () => {
  test('each knows the user and the agent, and takes no token but its own', async () => {
    const agent = startAgent();
    const [calendar, files] = [await startServer('calendar'), await startServer('files')];
    const subjectToken = await signIn('alice');
    const fetchOf = ({ origin }: Loopback, target: string): typeof fetch =>
      createDelegatedFetch({ broker: agent.broker, url: origin, target });
    const ask = async (fetched: typeof fetch, { origin }: Loopback): Promise<unknown> => {
      const response = await fetched(origin);
      return { status: response.status, ...((await response.json()) as object) };
    };

    await runAs(agent.broker.begin({ subjectToken }), async () => {
      for (const [server, name] of [
        [calendar, 'calendar'],
        [files, 'files'],
      ] as const) {
        const answer = { status: 200, agent: 'agent', server: name };
        expect(await ask(fetchOf(server, name), server)).toMatchObject(answer);
        expect(await ask(fetchOf(server, name), server)).toMatchObject(answer);
      }
      expect(agent.requests).toHaveLength(2);
      const refused = { code: 'server_rejected_token', status: 401 };
      await expect(ask(fetchOf(files, 'calendar'), files)).rejects.toMatchObject(refused);
    });
    for (const { headers } of [...calendar.received, ...files.received])
      expect(headers.authorization).not.toContain(subjectToken);
  });
});

/** A server that verifies tokens with the realm's keys, as any would. */
async function startServer(audience: string): Promise<Loopback> {
  const { issuer } = keycloak();
  const keys = createRemoteJWKSet(new URL(`${issuer}/protocol/openid-connect/certs`));
  return startLoopback(({ headers }, response) => {
    jwtVerify(bearerToken(headers.authorization) ?? '', keys, { issuer, audience })
      .then(({ payload: { sub, azp } }) => json(response, { sub, agent: azp, server: audience }))
      .catch(() => json(response, {}, { status: 401 }));
  });
}
