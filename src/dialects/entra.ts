import type { Dialect, ErrorAnswer } from '../core/dialect.ts';
import type { FailureClass } from '../core/errors.ts';

/** `suberror` says what a user could do about it. */
const BY_SUBERROR: Readonly<Record<string, FailureClass>> = {
  consent_required: 'consent_required',
  basic_action: 'reauthentication_required',
  additional_action: 'reauthentication_required',
  // A sign-in would only show why not.
  message_only: 'denied',
};

/** Where `error` is too coarse. Microsoft may change these numbers, so whatever is not here goes by `error`. */
const BY_CODE: Readonly<Record<FailureClass, readonly number[]>> = {
  // Nobody has consented, the user declined, an administrator must.
  consent_required: [65001, 65004, 90094, 90095],
  // The user is not assigned to the application, disabled, or blocked by policy.
  denied: [50105, 50057, 53003, 53011, 530032, 530035],
  // Assertion not for this application or not an access token; resource, tenant, permission or client is not set up.
  misconfigured: [
    50013, 500131, 240002, 50001, 500011, 65002, 65005, 650052, 650054, 650056, 650057, 700016, 7000112,
    7000114, 90002,
  ],
  // The assertion has expired.
  reauthentication_required: [500133],
  unavailable: [],
};

/** Errors of Entra's that the RFCs do not know, or mean otherwise. */
const BY_ERROR: Readonly<Record<string, FailureClass>> = {
  invalid_resource: 'misconfigured',
  invalid_scope: 'misconfigured',
  invalid_request: 'misconfigured',
};

/**
 * Microsoft Entra ID: the on-behalf-of flow (profile `entra-obo`). `scope` names the API, and `audience` is what its
 * tokens have as `aud`; it is checked, not sent.
 *
 * What differs by design (the user is compared by `oid`, scopes come back short) is in the profile; no check is left out
 * beyond that.
 */
export function entra(): Dialect {
  return { name: 'entra', profile: 'entra-obo', classify };
}

function classify({ error = '', body }: ErrorAnswer): FailureClass | undefined {
  // A claims challenge is for the user's next sign-in, whatever else is said.
  if (error === 'interaction_required' && body.claims !== undefined) return 'reauthentication_required';
  return own(BY_SUBERROR, body.suberror) ?? byCode(body.error_codes) ?? own(BY_ERROR, error);
}

function byCode(codes: unknown): FailureClass | undefined {
  if (!Array.isArray(codes)) return undefined;
  const classes = Object.keys(BY_CODE) as FailureClass[];
  return classes.find((name) => BY_CODE[name].some((code) => codes.includes(code)));
}

function own(classes: Readonly<Record<string, FailureClass>>, name: unknown): FailureClass | undefined {
  return typeof name === 'string' && Object.hasOwn(classes, name) ? classes[name] : undefined;
}
