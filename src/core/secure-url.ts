import { OnbehalfError } from './errors.ts';

const LOOPBACK = /^(localhost|.+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Whether a host name stays on this machine (RFC 8252 section 7.3, RFC 6761 section 6.3). */
export function isLoopback(hostname: string): boolean {
  return LOOPBACK.test(hostname);
}

/**
 * Parses a URL that a credential will be sent to.
 *
 * @param what - names the setting in the error
 * @throws OnbehalfError `insecure_url` unless the URL is https, or http on loopback, or http was allowed
 * @throws TypeError when it is no absolute http(s) URL, or holds credentials
 */
export function secureUrl(value: string | URL, what: string, allowInsecureHttp = false): URL {
  if (!URL.canParse(String(value))) throw new TypeError(`${what} must be an absolute URL`);
  const url = new URL(value);
  if (url.username !== '' || url.password !== '')
    throw new TypeError(`${what} must not hold a user name or password`);
  if (url.protocol === 'https:') return url;
  if (url.protocol !== 'http:') throw new TypeError(`${what} must be an https URL`);
  if (isLoopback(url.hostname) || allowInsecureHttp) return url;
  throw new OnbehalfError(
    'insecure_url',
    `${what} (${url.origin}) is plain http and not on loopback: a token sent there can be read on the way. ` +
      'Use https, or, if the network is trusted, set dangerouslyAllowInsecureHttp',
    { failure: 'misconfigured' },
  );
}
