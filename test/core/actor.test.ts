import { expect, test } from 'vitest';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { readClaims } from '../../src/core/claims.ts';
import type { SecurityToken } from '../../src/core/token-types.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { fakeJwt } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { json, never } from '../support/loopback.ts';
import { AGENT, serviceOf, startPlainSts, startSts } from '../support/sts.ts';

test('the agent gets its own token by client credentials from a real authorization server', async () => {
  const sts = await startSts();
  const token = (await clientCredentialsActor(serviceOf(sts))({})) as SecurityToken;
  expect(readClaims(token.token)).toMatchObject({ iss: sts.issuer, sub: AGENT.clientId, aud: [sts.issuer] });
  expectNoLeak(token, [token.token]);
});

test('audience, resource and scope are asked for in their order, and nothing when none is given', async () => {
  const sts = await startPlainSts();
  sts.handle((_request, response) =>
    json(response, { access_token: fakeJwt({ sub: 'agent' }), token_type: 'Bearer' }),
  );
  await clientCredentialsActor(sts.service)({});
  await clientCredentialsActor(sts.service, {
    audience: ['sts', 'calendar'],
    resource: 'https://mcp.example.com',
    scope: ['write', 'read'],
  })({});
  expect(sts.received.map(({ form }) => [...form])).toEqual([
    [
      ['grant_type', 'client_credentials'],
      ['client_id', 'agent'],
    ],
    [
      ['resource', 'https://mcp.example.com'],
      ['audience', 'sts'],
      ['audience', 'calendar'],
      ['scope', 'read write'],
      ['grant_type', 'client_credentials'],
      ['client_id', 'agent'],
    ],
  ]);
});

test('the lifetime that the STS names goes with the token, for one that does not tell it itself', async () => {
  const sts = await startPlainSts();
  const lifetime = async (more: object): Promise<number | undefined> => {
    sts.handle((_request, response) =>
      json(response, { access_token: 'opaque', token_type: 'Bearer', ...more }),
    );
    return ((await clientCredentialsActor(sts.service)({})) as SecurityToken).expiresInMs;
  };
  expect(await lifetime({ expires_in: 90 })).toBe(90_000);
  expect(await lifetime({})).toBeUndefined();
});

test('every call asks again: who keeps the token is not the business of the source', async () => {
  const sts = await startSts();
  const source = clientCredentialsActor(serviceOf(sts));
  const tokens = [await source({}), await source({})] as SecurityToken[];
  expect(tokens[0]?.token).not.toBe(tokens[1]?.token);
});

test('what the agent may not have is refused with a code', async () => {
  const sts = await startSts();
  const source = clientCredentialsActor(serviceOf(sts), { audience: 'payroll' });
  expect(await failureOf(async () => source({}))).toMatchObject({
    code: 'sts_error',
    oauthError: 'invalid_target',
    failure: 'denied',
  });
});

test('a token of another type than bearer is refused', async () => {
  const sts = await startPlainSts();
  sts.handle((_request, response) => json(response, { access_token: 'x', token_type: 'DPoP' }));
  const error = await failureOf(async () => clientCredentialsActor(sts.service)({}));
  expect(error).toMatchObject({ code: 'sts_invalid_response', failure: 'misconfigured' });
});

test('a caller that leaves is obeyed, for its own reason', async () => {
  const sts = await startPlainSts();
  sts.handle(never);
  const controller = new AbortController();
  const asking = thrownBy(async () => clientCredentialsActor(sts.service)({ signal: controller.signal }));
  await sts.arrived(1);
  const reason = new Error('enough');
  controller.abort(reason);
  expect(await asking).toBe(reason);
});

test('a wrong option is found when the source is made', () => {
  expect(() =>
    clientCredentialsActor(serviceOf({ issuer: 'https://sts.example.com' }), { resource: 'x' }),
  ).toThrow('"resource"');
});
