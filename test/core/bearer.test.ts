import { expect, test } from 'vitest';
import { bearerToken } from '../../src/core/bearer.ts';
import { failureOf } from '../support/failure.ts';
import { expectNoLeak } from '../support/leaks.ts';

test.each<[string, string]>([
  ['Bearer abc.def.ghi', 'abc.def.ghi'],
  ['bearer abc', 'abc'],
  ['BEARER abc', 'abc'],
  ['  Bearer   abc  ', 'abc'],
  ['Bearer\tabc', 'abc'],
  ['Bearer abc-._~+/==', 'abc-._~+/=='],
])('%j holds the token %j', (header, token) => {
  expect(bearerToken(header)).toBe(token);
});

test.each([undefined, null, '', '   ', '\t\r\n'])('%j is no header', async (header) => {
  expect(await failureOf(() => bearerToken(header))).toMatchObject({
    code: 'subject_missing',
    failure: 'reauthentication_required',
    retryable: false,
  });
});

test.each([
  'Basic dXNlcjpwYXNzd29yZA==',
  'DPoP dXNlcjpwYXNzd29yZA==',
  'dXNlcjpwYXNzd29yZA==',
  'Bearerish dXNlcjpwYXNzd29yZA==',
  'Bearer:dXNlcjpwYXNzd29yZA==',
  'Bearer',
  'Bearer   ',
  'Bearer dXNlcjpwYXNzd29yZA== second',
  'Bearer dXNlcjpwYXNzd29yZA==, Bearer second',
  'Bearer dXNlcjpwYXNzd29yZA==\r\nX-Injected: yes',
  'Bearer dXNlcjpwYXNzd29yZA==\nnext',
  'Bearer dXNlcjpwYXNzd29yZA==\u00a0next',
])('%j is refused without being repeated', async (header) => {
  const error = await failureOf(() => bearerToken(header));
  expect(error).toMatchObject({ code: 'subject_malformed', failure: 'reauthentication_required' });
  expectNoLeak(error, ['dXNlcjpwYXNzd29yZA==']);
});
