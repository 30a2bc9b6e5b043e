import { OnbehalfError } from './errors.ts';
import { parseUrl } from './url.ts';

const LOOPBACK = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Whether a host name stays on this machine (RFC 8252 section 7.3). A name below `localhost` does not count: many
 * resolvers ask DNS for it, whatever RFC 6761 section 6.3 says.
 */
export function isLoopback(hostname: string): boolean {
  return LOOPBACK.test(hostname);
}

/** Changes to a token endpoint before it is used; see `TokenServiceOptions`. */
export interface EndpointOptions {
  readonly host?: string | undefined;
  readonly dangerouslyAllowInsecureHttp?: boolean | undefined;
}

/** The URL that tokens are sent to in the end: with `host` put in, and held to the rules as it then is. */
export function endpointUrl(value: string, what: string, options: EndpointOptions): URL {
  if (!parseUrl(value)) throw new TypeError(`${what} must be an absolute URL`);
  const url = new URL(value);
  if (options.host !== undefined) {
    // A host without a port would leave the old one.
    url.port = '';
    url.host = options.host;
  }
  return secureUrl(url, what, options.dangerouslyAllowInsecureHttp);
}

/** @throws TypeError unless `host` is what a URL takes as its host, whole: a URL ignores what it does not take */
export function assertHost(host: string): void {
  if (parseUrl(`https://${host}/`)) {
    const { host: taken, port, pathname, search, hash, username } = new URL(`https://${host}/`);
    const withPort = port === '' && /:0*443$/.test(host) ? `${taken}:443` : taken;
    if (withPort === host.toLowerCase() && pathname + search + hash + username === '/') return;
  }
  throw new TypeError('"host" must be a host name, with a port where needed, and nothing else');
}

/**
 * Parses a URL that a credential will be sent to.
 *
 * @param what - names the setting in the error
 * @throws OnbehalfError `insecure_url` unless the URL is https, or http on loopback, or http was allowed
 * @throws TypeError when it is no absolute http(s) URL, or holds credentials
 */
export function secureUrl(value: string | URL, what: string, allowInsecureHttp = false): URL {
  if (!parseUrl(String(value))) throw new TypeError(`${what} must be an absolute URL`);
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
