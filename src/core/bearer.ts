import { OnbehalfError } from './errors.ts';

const missing = (message: string): OnbehalfError =>
  new OnbehalfError('subject_missing', message, { failure: 'reauthentication_required' });

const malformed = (message: string): OnbehalfError =>
  new OnbehalfError('subject_malformed', message, { failure: 'reauthentication_required' });

/**
 * Takes the token out of an `Authorization` header value (RFC 6750 section 2.1).
 *
 * @throws OnbehalfError `subject_missing` without a header, `subject_malformed` for another scheme or no token
 */
export function bearerToken(authorization: string | null | undefined): string {
  const value = authorization?.trim() ?? '';
  if (value === '') throw missing('the request carries no Authorization header');
  const [scheme = '', token, ...rest] = value.split(/\s+/);
  if (scheme.toLowerCase() !== 'bearer')
    throw malformed('the Authorization header is not of the Bearer scheme');
  if (token === undefined) throw malformed('the Authorization header has the Bearer scheme but no token');
  if (rest.length > 0) throw malformed('the Authorization header holds more than one token');
  return token;
}
