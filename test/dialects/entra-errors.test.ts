import { expect, test } from 'vitest';
import type { FailureClass } from '../../src/core/errors.ts';
import { entra, failed } from './presets.ts';

type Answered = readonly [
  what: string,
  status: number,
  body: Readonly<Record<string, unknown>>,
  failure: FailureClass,
];

const REAUTHENTICATE = 'reauthentication_required';

const says = (error: string) => ({ error });

/** What Entra answers, as it documents it. */
const aadsts = (error: string, code: number, more: Readonly<Record<string, unknown>> = {}) => ({
  error,
  error_description: `AADSTS${code}: something.\r\nTrace ID: 0\r\nTimestamp: 2026-01-01 00:00:00Z`,
  error_codes: [code],
  timestamp: '2026-01-01 00:00:00Z',
  ...more,
});

const ANSWERED: readonly Answered[] = [
  ['a claims challenge', 400, aadsts('interaction_required', 50079, { claims: '{}' }), REAUTHENTICATE],
  [
    'a claims challenge with no way out for the user',
    400,
    aadsts('interaction_required', 53003, { claims: '{}', suberror: 'message_only' }),
    REAUTHENTICATE,
  ],
  ['a sign-in', 400, aadsts('interaction_required', 50076), REAUTHENTICATE],
  [
    'a sign-in that an administrator asks for',
    400,
    aadsts('invalid_grant', 50076, { suberror: 'basic_action' }),
    REAUTHENTICATE,
  ],
  ['an expired assertion', 400, aadsts('invalid_grant', 500133), REAUTHENTICATE],
  ['a revoked session', 400, aadsts('invalid_grant', 50173), REAUTHENTICATE],
  ['no consent', 400, aadsts('invalid_grant', 65001, { suberror: 'consent_required' }), 'consent_required'],
  [
    'no consent, with a number nobody knows',
    400,
    aadsts('invalid_grant', 1, { suberror: 'consent_required' }),
    'consent_required',
  ],
  [
    'something that the user can do, whatever its number',
    400,
    aadsts('invalid_grant', 53003, { suberror: 'basic_action' }),
    REAUTHENTICATE,
  ],
  [
    'something that the user can do elsewhere, whatever its number',
    400,
    aadsts('invalid_grant', 53003, { suberror: 'additional_action' }),
    REAUTHENTICATE,
  ],
  [
    'a block with a number nobody knows',
    400,
    aadsts('invalid_grant', 1, { suberror: 'message_only' }),
    'denied',
  ],
  ['no consent, by its number', 400, aadsts('invalid_grant', 65001), 'consent_required'],
  ['no consent of an administrator', 400, aadsts('invalid_grant', 90094), 'consent_required'],
  ['no consent, by its error', 400, says('consent_required'), 'consent_required'],
  [
    'a block by Conditional Access',
    400,
    aadsts('access_denied', 53003, { suberror: 'message_only' }),
    'denied',
  ],
  ['a block, by its number', 400, aadsts('invalid_grant', 53003), 'denied'],
  ['a user who is not assigned', 400, aadsts('invalid_grant', 50105), 'denied'],
  ['an unknown API', 400, aadsts('invalid_resource', 500011), 'misconfigured'],
  ['an unknown API, by its error', 400, says('invalid_resource'), 'misconfigured'],
  ['an assertion for another application', 400, aadsts('invalid_grant', 500131), 'misconfigured'],
  ['an assertion that is not valid', 400, aadsts('invalid_grant', 50013), 'misconfigured'],
  ['an ID token as assertion', 400, aadsts('invalid_grant', 240002), 'misconfigured'],
  ['a scope that is not valid', 400, aadsts('invalid_scope', 70011), 'misconfigured'],
  ['a wrong secret', 401, aadsts('invalid_client', 7000215), 'misconfigured'],
  ['codes that are none', 400, { error: 'invalid_grant', error_codes: 'x', suberror: 7 }, REAUTHENTICATE],
  ['a suberror by a dangerous name', 400, { error: 'invalid_grant', suberror: 'toString' }, REAUTHENTICATE],
];

test.each(ANSWERED)('%s', async (_what, status, body, failure) => {
  const error = await failed(entra(), status, body);
  expect(error).toMatchObject({ code: 'sts_error', failure, status, oauthError: body.error });
});

test.each<[FailureClass, number[]]>([
  ['consent_required', [65001, 65004, 90094, 90095]],
  ['denied', [50105, 50057, 53003, 53011, 530032, 530035]],
  ['misconfigured', [50013, 500131, 240002, 50001, 500011, 65002, 65005]],
  ['misconfigured', [650052, 650054, 650056, 650057, 700016, 7000112, 7000114, 90002]],
  [REAUTHENTICATE, [500133, 50076, 50079, 50173, 70043]],
])('these numbers are %s: %o', async (failure, codes) => {
  for (const code of codes) {
    expect(await failed(entra(), 400, aadsts('invalid_grant', code))).toMatchObject({ failure });
  }
});

test('an expired assertion is told by its number, whatever the error', async () => {
  expect(await failed(entra(), 400, aadsts('invalid_request', 500133))).toMatchObject({
    failure: REAUTHENTICATE,
  });
  expect(await failed(entra(), 400, aadsts('invalid_request', 900144))).toMatchObject({
    failure: 'misconfigured',
  });
});
