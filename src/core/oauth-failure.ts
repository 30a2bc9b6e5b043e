import { claimsChallenge } from './claims-challenge.ts';
import type { Dialect, ErrorAnswer } from './dialect.ts';
import { errorUri } from './error-uri.ts';
import { type FailureClass, OnbehalfError } from './errors.ts';
import { redact } from './redact.ts';
import { mayPass, retryAfterMs } from './retry-after.ts';

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
export async function oauthFailure(
  response: Response,
  secrets: readonly string[],
  dialect?: Dialect,
): Promise<OnbehalfError> {
  const answer = await errorAnswer(response);
  const { error, description } = answer;
  const { status } = response;
  const oauthError = error === undefined ? undefined : redact(error, secrets);
  const said = [oauthError, description === undefined ? undefined : redact(description, secrets)];
  const reason = said.filter(Boolean).join(': ');
  return new OnbehalfError(
    oauthError === undefined && status < 429 ? 'sts_invalid_response' : 'sts_error',
    `the STS answered with status ${status}${reason === '' ? '' : ` (${reason})`}`,
    {
      failure: classify(status, answer, dialect),
      status,
      oauthError,
      retryAfterMs: retryAfterMs(response.headers),
      claimsChallenge: claimsChallenge(answer.body.claims, secrets),
      errorUri: errorUri(answer.body.error_uri, secrets),
    },
  );
}

/** What an answer says, if it is an OAuth error. */
type Said = Partial<ErrorAnswer> & Pick<ErrorAnswer, 'body'>;

function classify(status: number, answer: Said, dialect: Dialect | undefined): FailureClass {
  if (mayPass(status)) return 'unavailable';
  const { error, body, description } = answer;
  if (error === undefined) return 'misconfigured';
  const own = dialect?.classify?.({ status, error, description, body });
  if (own !== undefined) return own;
  return Object.hasOwn(CLASS_OF, error) ? (CLASS_OF[error] as FailureClass) : 'denied';
}

async function errorAnswer(response: Response): Promise<Said> {
  try {
    const body: unknown = await response.json();
    if (typeof body === 'object' && body !== null) {
      const { error, error_description: description } = body as Record<string, unknown>;
      if (typeof error === 'string') {
        const text = typeof description === 'string' ? description : undefined;
        return { error, description: text, body: body as Record<string, unknown> };
      }
    }
  } catch {}
  return { body: {} };
}
