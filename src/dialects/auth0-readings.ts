import type { Reading } from './rules.ts';

/** What Auth0 means by its errors, in both of its exchanges. */
export const AUTH0_READINGS: readonly Reading[] = [
  // The answer to a client secret that is wrong.
  ['access_denied', 'Unauthorized', 'misconfigured'],
  // An exchange has no place to ask the user; the API must allow skipping consent.
  ['consent_required', '', 'misconfigured'],
  ['invalid_request', 'subject_token_type', 'misconfigured'],
];
