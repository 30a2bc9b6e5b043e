// What a security review found, and beside it what the fixes must leave as it was.
import { describe, expect, test } from 'vitest';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import { resolveTarget } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import { securityToken } from '../../src/core/token-types.ts';
import { failureOf } from '../support/failure.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { always, type Handler, json, startLoopback } from '../support/loopback.ts';
import { startPlainSts, subjectJwt } from '../support/sts.ts';

describe('the metadata URL', () => {
  const serviceAt = (metadataUrl: string): TokenService =>
    createTokenService({ metadataUrl, clientId: 'agent', retry: { attempts: 1 } });
  const SECRET = 'key-of-the-tenant';
  const elsewhere = { issuer: 'https://sts.example.com', token_endpoint: 'https://evil.example.com/token' };
  const answers: readonly [string, Handler][] = [
    ['that answers with an error', always({}, { status: 500 })],
    ['that answers with no metadata', always({})],
    ['without a token endpoint', always({ issuer: 'https://sts.example.com' })],
    ['whose token endpoint is no URL', always({ ...elsewhere, token_endpoint: 'token' })],
    ['whose token endpoint is on another host', always(elsewhere)],
    ['that answers with no JSON', (_request, response) => void response.end('<html>')],
  ];
  test.each(answers)('%s shows in the error, but not its query string', async (_what, answer) => {
    const { origin } = await startLoopback(answer);
    const metadataUrl = `${origin}/.well-known/openid-configuration?api_key=${SECRET}`;
    const error = await failureOf(serviceAt(metadataUrl).discover());
    expect(error.code).toBe('sts_metadata_invalid');
    expect(error.message).toContain(`${origin}/.well-known/openid-configuration`);
    expectNoLeak(error, [SECRET, 'api_key']);
  });

  test('that nobody answers at shows no query string either', async () => {
    const gone = await startLoopback((_request, response) => json(response, {}));
    await gone.close();
    const metadataUrl = `${gone.origin}/metadata?api_key=${SECRET}`;
    const error = await failureOf(serviceAt(metadataUrl).discover());
    expect(error.code).toBe('sts_unreachable');
    expectNoLeak(error, [SECRET, 'api_key']);
  });
});

describe('the answer to an exchange', () => {
  const exchange = async (accessToken: (subject: string, actor: string) => string): Promise<unknown> => {
    const subject = securityToken(subjectJwt('alice', { aud: ['calendar'] }));
    const actor = securityToken(subjectJwt('agent', { aud: ['calendar'] }));
    const answer = accessToken(subject.token, actor.token);
    const { service } = await startPlainSts(() => ({ response: { access_token: answer } }));
    const parameters = { subject, actor, target: resolveTarget('calendar') };
    const response = await exchangeRequest(service, parameters);
    const error = await failureOf(processExchangeResponse(service, response, parameters));
    expectNoLeak(error, [subject.token, actor.token, answer]);
    return error;
  };

  test('is refused when it holds the subject token or the actor token that was sent', async () => {
    expect(await exchange((subject) => subject)).toMatchObject({ code: 'issued_token_rejected' });
    expect(await exchange((_subject, actor) => actor)).toMatchObject({ code: 'issued_token_rejected' });
  });

  test.each(['\u0000', '\r\n', '\t', ' ', '\u007f', '\u00e9', '\u2028'])(
    'is refused when its token holds the character %j',
    async (character) => {
      const error = await exchange((subject) => `${subject}${character}another-part`);
      expect(error).toMatchObject({ code: 'sts_invalid_response', failure: 'misconfigured' });
    },
  );
});
