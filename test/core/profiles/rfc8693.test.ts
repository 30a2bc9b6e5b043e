import { expect, test } from 'vitest';
import { rfc8693 } from '../../../src/core/profiles/rfc8693.ts';
import { resolveTarget } from '../../../src/core/target.ts';
import { securityToken, TOKEN_TYPE } from '../../../src/core/token-types.ts';

const subject = securityToken('the-subject-token', TOKEN_TYPE.idToken);

test('the form has every parameter of RFC 8693 section 2.1, in that order', () => {
  const target = resolveTarget({
    ...{ resource: ['https://b.example.com', 'https://a.example.com'], audience: ['files', 'calendar'] },
    ...{ scope: 'write read', requestedTokenType: TOKEN_TYPE.jwt },
  });
  const actor = securityToken('the-actor-token', TOKEN_TYPE.jwt);
  expect(rfc8693.grantType).toBe('urn:ietf:params:oauth:grant-type:token-exchange');
  expect([...rfc8693.form({ subject, actor, target })]).toEqual([
    ['resource', 'https://b.example.com'],
    ['resource', 'https://a.example.com'],
    ['audience', 'files'],
    ['audience', 'calendar'],
    ['scope', 'read write'],
    ['requested_token_type', 'urn:ietf:params:oauth:token-type:jwt'],
    ['subject_token', 'the-subject-token'],
    ['subject_token_type', 'urn:ietf:params:oauth:token-type:id_token'],
    ['actor_token', 'the-actor-token'],
    ['actor_token_type', 'urn:ietf:params:oauth:token-type:jwt'],
  ]);
});

test('the form has no parameter that was not given a value', () => {
  expect([...rfc8693.form({ subject, target: resolveTarget('calendar') })]).toEqual([
    ['audience', 'calendar'],
    ['subject_token', 'the-subject-token'],
    ['subject_token_type', 'urn:ietf:params:oauth:token-type:id_token'],
  ]);
});
