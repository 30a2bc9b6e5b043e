import { oauthError } from './oauth-error.ts';

/** Form parameters of a token request: a parameter sent more than once is an array. */
export type Parameters = Readonly<Record<string, unknown>>;

/** The one value of a parameter; undefined when absent or empty (RFC 6749 section 3.2). */
export function single(parameters: Parameters, name: string): string | undefined {
  const value = parameters[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The one value of a parameter that must be there. */
export function required(parameters: Parameters, name: string): string {
  const value = single(parameters, name);
  if (value === undefined) throw oauthError('invalid_request', `${name} is missing`);
  return value;
}

/** The values of a parameter that may be repeated, without empty ones. */
export function repeated(parameters: Parameters, name: string): string[] {
  const value = parameters[name];
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((item): item is string => typeof item === 'string' && item !== '');
}
