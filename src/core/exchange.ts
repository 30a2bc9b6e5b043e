import { readClaims } from './claims.ts';
import { OnbehalfError } from './errors.ts';
import { type IssuedToken, issuedToken } from './issued-token.ts';
import { oauthFailure } from './oauth-failure.ts';
import { type ResolvedTarget, targetForm } from './target.ts';
import {
  confidentialValues,
  processTokenResponse,
  type TokenService,
  tokenRequest,
} from './token-service.ts';
import { PRINTABLE, type SecurityToken, TOKEN_EXCHANGE_GRANT } from './token-types.ts';

/** What is exchanged, for what. */
export interface ExchangeParameters {
  /** On whose behalf. */
  readonly subject: SecurityToken;
  /** Who acts; default: nobody, so the issued token impersonates the subject. */
  readonly actor?: SecurityToken | undefined;
  /** What for; from `resolveTarget`. */
  readonly target: ResolvedTarget;
}

/**
 * First step of a token exchange: sends the request (RFC 8693 section 2.1).
 * Repeated parameters keep the order of the target.
 *
 * @returns the answer, body read and bounded, whatever its status
 * @throws OnbehalfError `sts_unreachable`, `sts_timeout`, `sts_metadata_invalid`, `insecure_url`;
 * or the reason of `signal`
 */
export async function exchangeRequest(
  service: TokenService,
  parameters: ExchangeParameters,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Response> {
  return tokenRequest(service, TOKEN_EXCHANGE_GRANT, {
    parameters: form(parameters),
    signal: options.signal,
  });
}

/**
 * Second step: reads the answer (RFC 8693 section 2.2). It checks the form; what the token says is checked
 * by `verifyIssuedToken`.
 *
 * @throws OnbehalfError `sts_error` for an error response, `sts_invalid_response` for one that is not of its form
 */
export async function processExchangeResponse(
  service: TokenService,
  response: Response,
  parameters: ExchangeParameters,
): Promise<IssuedToken> {
  const secrets = [parameters.subject.token, parameters.actor?.token ?? ''];
  const answer = await readTokenResponse(service, response, secrets);
  const type = answer.issued_token_type;
  if (typeof type !== 'string' || type === '') {
    throw invalidResponse('has no "issued_token_type" (RFC 8693 section 2.2.1)', response.status);
  }
  if (!PRINTABLE.test(answer.access_token)) {
    throw invalidResponse('has an "access_token" with a space or an unprintable character', response.status);
  }
  // An STS that hands back what it was sent has made no token for the target.
  if (secrets.includes(answer.access_token)) {
    throw new OnbehalfError('issued_token_rejected', 'the STS gave back the token that it was sent', {
      failure: 'misconfigured',
    });
  }
  return issuedToken(answer.access_token, { ...lifetime(answer), issuedTokenType: type });
}

/** The members of a token response that are read here, with any others. */
type TokenResponse = Awaited<ReturnType<typeof processTokenResponse>>;

/**
 * Reads any answer of a token endpoint (RFC 6749 sections 5.1 and 5.2).
 *
 * @param secrets - values that were sent and must not come back in an error
 */
export async function readTokenResponse(
  service: TokenService,
  response: Response,
  secrets: readonly string[],
): Promise<TokenResponse> {
  if (response.status !== 200) {
    throw await oauthFailure(response, [...secrets, ...confidentialValues(service)]);
  }
  try {
    return await processTokenResponse(service, response);
  } catch {
    // The library's error holds the response body, so it must not become a cause.
    throw invalidResponse('is not a token response (RFC 6749 section 5.1)', response.status);
  }
}

/** Lifetime, scope and claims of a token response. */
function lifetime(answer: TokenResponse): Pick<IssuedToken, 'expiresInMs' | 'scope' | 'claims'> {
  return {
    expiresInMs: answer.expires_in === undefined ? undefined : answer.expires_in * 1000,
    scope: answer.scope,
    claims: readClaims(answer.access_token),
  };
}

function invalidResponse(what: string, status: number): OnbehalfError {
  return new OnbehalfError('sts_invalid_response', `the answer of the STS ${what}`, {
    failure: 'misconfigured',
    status,
  });
}

function form({ subject, actor, target }: ExchangeParameters): URLSearchParams {
  const body = targetForm(target);
  if (target.requestedTokenType !== undefined) body.set('requested_token_type', target.requestedTokenType);
  body.set('subject_token', subject.token);
  body.set('subject_token_type', subject.type);
  if (actor) {
    body.set('actor_token', actor.token);
    body.set('actor_token_type', actor.type);
  }
  return body;
}
