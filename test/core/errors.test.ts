import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { type FailureClass, isOnbehalfError, networkCause, OnbehalfError } from '../../src/core/errors.ts';

test('an error says what happened, what can be done and what led to it', () => {
  const cause = new Error('ECONNREFUSED');
  const error = new OnbehalfError('sts_error', 'it failed', {
    failure: 'denied',
    status: 400,
    oauthError: 'invalid_target',
    retryAfterMs: 5,
    claimsChallenge: '{"access_token":{}}',
    errorUri: 'https://sts.example.com/consent',
    cause,
  });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'OnbehalfError',
    message: 'it failed',
    code: 'sts_error',
    failure: 'denied',
    status: 400,
    oauthError: 'invalid_target',
    retryAfterMs: 5,
    claimsChallenge: '{"access_token":{}}',
    errorUri: 'https://sts.example.com/consent',
    cause,
  });
  expect(String(error)).toBe('OnbehalfError: it failed');
  expect('cause' in new OnbehalfError('sts_error', 'x', { failure: 'denied' })).toBe(false);
});

test('what is not known of a failure is not printed', () => {
  const error = new OnbehalfError('sts_error', 'it failed', { failure: 'denied', status: 400 });
  const printed = inspect(error);
  expect(printed).toContain('status: 400');
  expect(printed).not.toContain('undefined');
  expect(Object.keys(error).sort()).toEqual(['code', 'failure', 'name', 'retryable', 'status']);
  expect(error.oauthError).toBeUndefined();
});

test.each<[FailureClass, boolean]>([
  ['unavailable', true],
  ['denied', false],
  ['misconfigured', false],
  ['consent_required', false],
  ['reauthentication_required', false],
])('of the class %s a later try can succeed: %s', (failure, retryable) => {
  expect(new OnbehalfError('sts_error', 'x', { failure }).retryable).toBe(retryable);
  expect(new OnbehalfError('sts_error', 'x', { failure, retryable: !retryable }).retryable).toBe(!retryable);
});

test('an error of another copy of this package is told by its shape, others are not', () => {
  const other = Object.assign(new Error('x'), {
    name: 'OnbehalfError',
    code: 'sts_error',
    failure: 'denied',
  });
  expect(isOnbehalfError(other)).toBe(true);
  expect(isOnbehalfError(new OnbehalfError('sts_error', 'x', { failure: 'denied' }))).toBe(true);
  for (const no of [new Error('x'), { ...other, name: 'OnbehalfError' }, undefined, null, 'OnbehalfError']) {
    expect(isOnbehalfError(no)).toBe(false);
  }
});

const nested = (code: unknown, depth: number): Error => {
  const inner = Object.assign(new Error('secret'), { code });
  let error: Error = inner;
  for (let level = 0; level < depth; level += 1) error = new Error('secret', { cause: error });
  return error;
};

test('of a failed request only the code of the system is kept', () => {
  expect(networkCause(nested('ECONNREFUSED', 0))?.message).toBe('ECONNREFUSED');
  expect(networkCause(nested('UND_ERR_SOCKET', 1))?.message).toBe('UND_ERR_SOCKET');
  expect(networkCause(nested('ECONNRESET', 3))?.cause).toBeUndefined();
  expect(networkCause(nested('ECONNRESET', 9))).toBeUndefined();
  for (const code of [undefined, 20, 'eyJhbGciOiJub25lIn0.e30.', 'SECRET VALUE', 'A'.repeat(60), 'no']) {
    expect(networkCause(nested(code, 1))).toBeUndefined();
  }
  const circular = new Error('secret');
  circular.cause = circular;
  expect(networkCause(circular)).toBeUndefined();
});
