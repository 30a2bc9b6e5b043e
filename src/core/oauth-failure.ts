import { type FailureClass, OnbehalfError } from './errors.ts';
import { redact } from './redact.ts';

/** OAuth error codes and what a caller can do about them (RFC 6749 5.2, RFC 8693 2.2.2, RFC 8707 2, OIDC Core 3.1.2.6). */
const CLASS_OF: Readonly<Record<string, FailureClass>> = {
  invalid_grant: 'reauthentication_required',
  login_required: 'reauthentication_required',
  interaction_required: 'reauthentication_required',
  consent_required: 'consent_required',
  invalid_client: 'misconfigured',
  unauthorized_client: 'misconfigured',
  unsupported_grant_type: 'misconfigured',
  unsupported_token_type: 'misconfigured',
  temporarily_unavailable: 'unavailable',
  server_error: 'unavailable',
  slow_down: 'unavailable',
};

/**
 * Turns an answer that is no success into an error: its class, and what the STS said as far as that is safe to show.
 *
 * @param secrets - values that were sent and must not be repeated
 */
export async function oauthFailure(response: Response, secrets: readonly string[]): Promise<OnbehalfError> {
  const { status } = response;
  const body = await errorBody(response);
  const oauthError = body.error === undefined ? undefined : redact(body.error, secrets);
  const said = [oauthError, body.description === undefined ? undefined : redact(body.description, secrets)];
  const reason = said.filter(Boolean).join(': ');
  return new OnbehalfError(
    oauthError === undefined && status < 429 ? 'sts_invalid_response' : 'sts_error',
    `the STS answered with status ${status}${reason === '' ? '' : ` (${reason})`}`,
    { failure: classify(status, oauthError), status, oauthError, retryAfterMs: retryAfter(response) },
  );
}

function classify(status: number, oauthError: string | undefined): FailureClass {
  if (status >= 500 || status === 429) return 'unavailable';
  if (oauthError === undefined) return 'misconfigured';
  return Object.hasOwn(CLASS_OF, oauthError) ? (CLASS_OF[oauthError] as FailureClass) : 'denied';
}

async function errorBody(response: Response): Promise<{ error?: string; description?: string }> {
  try {
    const body: unknown = await response.json();
    if (typeof body !== 'object' || body === null) return {};
    const { error, error_description: description } = body as Record<string, unknown>;
    if (typeof error !== 'string') return {};
    return typeof description === 'string' ? { error, description } : { error };
  } catch {
    return {};
  }
}

/** `Retry-After` in milliseconds, from seconds or a date (RFC 9110 section 10.2.3). */
function retryAfter(response: Response): number | undefined {
  const value = response.headers.get('retry-after');
  if (value === null) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
