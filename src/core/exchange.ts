import { OnbehalfError } from './errors.ts';
import type { ExchangeParameters } from './exchange-parameters.ts';
import { type IssuedToken, issuedToken } from './issued-token.ts';
import { oauthFailure } from './oauth-failure.ts';
import {
  impliedTokenTypeOf,
  profileOf,
  requestDialectOf,
  requestedTokenTypeOf,
} from './profiles/profile-of.ts';
import { confidentialValues, dialectOf, processTokenResponse, tokenRequest } from './token-service.ts';
import type { TokenService } from './token-service-handle.ts';
import { PRINTABLE } from './token-types.ts';

/**
 * First step of a token exchange: sends the request (RFC 8693 section 2.1), in the profile of the target and the dialect
 * of the token service. Repeated parameters keep the order of the target. It is tried again as long as that can help.
 *
 * @returns the answer, body read and bounded, whatever its status
 * @throws OnbehalfError `exchange_unsupported`, `sts_unreachable`, `sts_timeout`, `sts_circuit_open`,
 * `sts_metadata_invalid`, `client_auth_unavailable`, `insecure_url`; or the reason of `signal`
 */
export async function exchangeRequest(
  service: TokenService,
  parameters: ExchangeParameters,
  options: {
    readonly signal?: AbortSignal | undefined;
    /** Names whom it is for, so that what fails for one alone does not open the circuit breaker. Default: nobody. */
    readonly who?: string | undefined;
  } = {},
): Promise<Response> {
  const { target } = parameters;
  const dialect = requestDialectOf(service, target);
  const requestedTokenType = requestedTokenTypeOf(service, target);
  const exchange = { ...parameters, target: { ...target, requestedTokenType } };
  const profile = profileOf(service, target);
  assertSupported(profile.refuse?.(parameters) ?? dialect?.refuse?.(parameters));
  const form = profile.form(exchange);
  return tokenRequest(service, profile.grantType, {
    parameters: dialect?.form?.(form, exchange) ?? form,
    ...options,
  });
}

function assertSupported(refusal: string | undefined): void {
  if (refusal === undefined) return;
  throw new OnbehalfError('exchange_unsupported', `nothing was sent to the STS: ${refusal}`, {
    failure: 'misconfigured',
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
  const { requestedTokenType } = parameters.target;
  const answer = await readTokenResponse(service, response, { secrets, requestedTokenType });
  const type = answer.issued_token_type ?? impliedTokenTypeOf(service, parameters.target);
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

/** Reads any answer of a token endpoint (RFC 6749 sections 5.1 and 5.2). */
export async function readTokenResponse(
  service: TokenService,
  response: Response,
  sent: {
    /** Values that were sent and must not come back in an error. */
    readonly secrets: readonly string[];
    readonly requestedTokenType?: string | undefined;
  },
): Promise<TokenResponse> {
  const { secrets, requestedTokenType } = sent;
  if (response.status !== 200) {
    throw await oauthFailure(response, [...secrets, ...confidentialValues(service)], dialectOf(service));
  }
  try {
    return await processTokenResponse(service, response, requestedTokenType);
  } catch {
    // The library's error holds the response body, so it must not become a cause.
    throw invalidResponse('is not a token response (RFC 6749 section 5.1)', response.status);
  }
}

/** Lifetime and scope of a token response. */
function lifetime(answer: TokenResponse): Pick<IssuedToken, 'expiresInMs' | 'scope'> {
  return {
    expiresInMs: answer.expires_in === undefined ? undefined : answer.expires_in * 1000,
    scope: answer.scope,
  };
}

function invalidResponse(what: string, status: number): OnbehalfError {
  return new OnbehalfError('sts_invalid_response', `the answer of the STS ${what}`, {
    failure: 'misconfigured',
    status,
  });
}
