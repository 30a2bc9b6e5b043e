import { expect, test } from 'vitest';
import { hasOneTarget } from '../../src/config/target.ts';
import { SERVICE, serverOf, wrong } from './fixtures.ts';

const SERVER = { params: { url: 'https://mail.example.com/mcp' } };
const problems = (more: object): readonly string[] =>
  wrong({ http_tools: [{ ...SERVER, ...more }], token_exchange: { token_services: { sts: SERVICE } } });

test('sts_audience alone is read', () => {
  expect(serverOf({ sts_audience: 'mail' })?.sts_audience).toBe('mail');
});

test('every field of token_exchange is read', () => {
  const token_exchange = {
    token_service: 'sts',
    audiences: ['a'],
    resources: ['https://mail.example.com/'],
    scopes: ['read'],
    requested_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    profile: 'id-jag',
  };
  expect(serverOf({ token_exchange })?.token_exchange).toEqual(token_exchange);
});

test('both at once are a problem', () => {
  expect(problems({ sts_audience: 'a', token_exchange: { audiences: ['a'] } })).toEqual([
    'http_tools[0]: give one of sts_audience and token_exchange, not both',
  ]);
  expect(hasOneTarget({ sts_audience: 'a' })).toBe(true);
});

test.each([{}, { profile: 'rfc8693' }, { token_service: 'sts' }])(
  'token_exchange %j is for nothing',
  (token_exchange) => {
    expect(problems({ token_exchange })).toEqual([
      'http_tools[0].token_exchange: at least one of audiences, resources and scopes must be given',
    ]);
  },
);

test.each(['audiences', 'resources', 'scopes'])('an empty list of %s is a problem', (member) => {
  expect(problems({ token_exchange: { audiences: ['a'], [member]: [] } })[0]).toContain(
    `http_tools[0].token_exchange.${member}: `,
  );
});
