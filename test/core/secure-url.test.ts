import { expect, test } from 'vitest';
import { isLoopback, secureUrl } from '../../src/core/secure-url.ts';
import { failureOf } from '../support/failure.ts';

test.each([
  'https://sts.example.com/token',
  'https://localhost/token',
  'http://localhost:8080/token',
  'http://LOCALHOST/token',
  'http://127.0.0.1/token',
  'http://127.1.2.3/token',
  'http://127.1/token',
  'http://0x7f000001/token',
  'http://2130706433/token',
  'http://[::1]:8080/token',
  'http://[0:0:0:0:0:0:0:1]/token',
])('%s is taken', (url) => {
  expect(secureUrl(url, '"url"').href).toBe(new URL(url).href);
  expect(secureUrl(new URL(url), '"url"').href).toBe(new URL(url).href);
});

test.each([
  'http://sts.example.com/token',
  'http://128.0.0.1/token',
  'http://127.0.0.1.example.com/token',
  'http://1270.0.0.1.example.com/token',
  'http://localhost.example.com/token',
  'http://sts.localhost/token',
  'http://localhost./token',
  'http://notlocalhost/token',
  'http://0.0.0.0/token',
  'http://10.0.0.1/token',
  'http://[::]/token',
  'http://[::2]/token',
  'http://[fe80::1]/token',
  'http://sts/token',
])('%s is in clear text off loopback: refused, unless that was allowed', async (url) => {
  const error = await failureOf(() => secureUrl(url, '"url"'));
  expect(error).toMatchObject({ code: 'insecure_url', failure: 'misconfigured', retryable: false });
  expect(error.message).toContain('"url"');
  expect(error.message).toContain('dangerouslyAllowInsecureHttp');
  expect(secureUrl(url, '"url"', true).href).toBe(new URL(url).href);
});

test('an insecure URL is named by its origin: a query may hold a secret', async () => {
  const { message } = await failureOf(() => secureUrl('http://sts.example.com/a?key=s3cret', '"url"'));
  expect(message).toContain('http://sts.example.com');
  expect(message).not.toContain('s3cret');
});

test.each([
  'ftp://sts.example.com/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'data:text/plain,x',
  'ws://localhost/',
  'sts.example.com/token',
  '/token',
  '',
  'https://user@sts.example.com/',
  'https://user:p4ssword@sts.example.com/',
  'http://:p4ssword@localhost/',
])('%j is refused, whatever is allowed, and not repeated', (url) => {
  for (const allowed of [false, true]) {
    expect(() => secureUrl(url, '"url"', allowed)).toThrow(TypeError);
    expect(() => secureUrl(url, '"url"', allowed)).toThrow(/^"url" must/);
    expect(() => secureUrl(url, '"url"', allowed)).not.toThrow('p4ssword');
  }
});

test.each<[string, boolean]>([
  ['localhost', true],
  ['a.b.localhost', false],
  ['localhost.', false],
  ['.localhost', false],
  ['127.0.0.1', true],
  ['127.0.0.1.nip.io', false],
  ['[::1]', true],
  ['::1', false],
])('whether %s stays on this machine: %s', (hostname, expected) => {
  expect(isLoopback(hostname)).toBe(expected);
});
