import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Dialect } from '../../src/core/dialect.ts';
import { processExchangeResponse } from '../../src/core/exchange.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { failureOf } from '../support/failure.ts';
import { always } from '../support/loopback.ts';
import { AT, fieldsOf, parametersOf, startProvider } from './presets.ts';

// #region docs
const acme: Dialect = {
  // Part of the key under which tokens are kept, so it holds whatever makes them different.
  name: 'acme',
  refuse({ actor, target }) {
    if (actor) return 'Acme takes no actor token: leave out the actor';
    if (target.resources.length > 0) return 'Acme takes no "resource": name the service as "audience"';
    return undefined;
  },
  // Acme wants the services in one parameter, separated by commas.
  form(form, { target }) {
    form.delete('audience');
    form.set('acme_services', target.audiences.join(','));
    return form;
  },
  classify: ({ error }) => (error === 'session_over' ? 'reauthentication_required' : undefined),
};

const tokenService = createTokenService({
  issuer: 'https://sts.example.com',
  clientId: 'agent',
  dialect: acme,
});
// #endregion

test('the documentation shows this dialect', () => {
  const text = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const region = /\/\/ #region docs\n(.*?)\/\/ #endregion/s.exec(
    text('test/dialects/own-dialect.test.ts'),
  )?.[1];
  const block = /<!-- region: test\/dialects\/own-dialect.test.ts -->\n```ts\n(.*?)```/s.exec(
    text('docs/identity-providers/README.md'),
  )?.[1];
  expect(region).toBeTruthy();
  expect(block?.replace(/^import .*\n\n/, '').trim()).toBe(region?.trim());
  expect(tokenService.dialect).toBe('acme');
});

test('it decides what is sent', async () => {
  const provider = await startProvider(acme);
  await provider.exchange({ audience: ['calendar', 'files'] });
  expect(fieldsOf(provider.received[0])).toEqual([
    ['subject_token', 'the-subject-token'],
    ['subject_token_type', AT],
    ['acme_services', 'calendar,files'],
    ['grant_type', 'urn:ietf:params:oauth:grant-type:token-exchange'],
    ['client_id', 'agent'],
  ]);
});

test('it decides what is refused', async () => {
  const provider = await startProvider(acme);
  const target = { audience: 'calendar' };
  for (const [refused, said] of [
    [provider.exchange(target, { actorType: AT }), 'leave out the actor'],
    [provider.exchange({ ...target, resource: 'https://mcp.example.com/' }), 'as "audience"'],
  ] as const) {
    const error = await failureOf(refused);
    expect(error).toMatchObject({ code: 'exchange_unsupported', message: expect.stringContaining(said) });
  }
  expect(provider.received).toHaveLength(0);
});

test('it decides what an error means, and leaves the others to the RFCs', async () => {
  const target = { audience: 'calendar' };
  for (const [error, failure] of [
    ['session_over', 'reauthentication_required'],
    ['invalid_client', 'misconfigured'],
  ]) {
    const provider = await startProvider(acme, { answer: always({ error }, { status: 400 }) });
    const response = await provider.exchange(target);
    const failed = processExchangeResponse(provider.service, response, parametersOf(target));
    expect(await failureOf(failed)).toMatchObject({ failure });
  }
});
