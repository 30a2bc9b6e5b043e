/** A refusal of the token endpoint, on its way to becoming the JSON of RFC 6749 section 5.2. */
export interface OAuthError extends Error {
  readonly error: string;
  readonly errorDescription: string;
}

/** @param description - without tokens, secrets, quotes or backslashes: it goes out as `error_description` */
export function oauthError(error: string, description: string): OAuthError {
  return Object.assign(new Error(`${error}: ${description}`), { error, errorDescription: description });
}

export function isOAuthError(thrown: unknown): thrown is OAuthError {
  return thrown instanceof Error && 'errorDescription' in thrown;
}
