import type { Attributes } from '@opentelemetry/api';
import { isOnbehalfError, networkCause, type OnbehalfError } from '../core/errors.ts';
import { parseUrl } from '../core/url.ts';
import { shown } from './shown.ts';

/** Attributes. Those without `onbehalf.` are of OpenTelemetry's semantic conventions. */
export const ATTRIBUTE = {
  serverAddress: 'server.address',
  serverPort: 'server.port',
  errorType: 'error.type',
  httpStatus: 'http.response.status_code',
  audience: 'onbehalf.audience',
  profile: 'onbehalf.profile',
  reason: 'onbehalf.exchange.reason',
  outcome: 'onbehalf.exchange.outcome',
  oauthError: 'onbehalf.exchange.oauth_error',
  lookUpResult: 'onbehalf.lookup.result',
  breakerState: 'onbehalf.breaker.state',
  storeState: 'onbehalf.store.state',
  poolName: 'onbehalf.pool.name',
} as const;

/** What the semantic conventions call an error that has no name of its own. */
export const OTHER_ERROR = '_OTHER';

const OTHER = '_other';
const LONGEST_NAME = 200;

/** Address and port of a server by its URL, the port also where it is the scheme's own. */
export function serverAttributes(url: string): Attributes {
  if (!parseUrl(url)) return {};
  const { hostname, port, protocol } = new URL(url);
  return {
    // An IPv6 address has brackets in a URL only.
    [ATTRIBUTE.serverAddress]: hostname.replace(/^\[(.*)\]$/, '$1'),
    [ATTRIBUTE.serverPort]: port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port),
  };
}

/** What tokens are for, as one text: audiences, then resources. `undefined` when neither was asked for. */
export function targetName(target: {
  readonly audiences: readonly string[];
  readonly resources: readonly string[];
}): string | undefined {
  const { audiences, resources } = target;
  if (audiences.length + resources.length === 0) return undefined;
  return shown([...audiences, ...resources].join(' '), LONGEST_NAME);
}

/** Lets the first `max` different names through and calls the others `_other`: each is a time series for ever. */
export function boundedNames(max: number): (name: string | undefined) => string | undefined {
  const known = new Set<string>();
  return (name) => {
    if (name === undefined || known.has(name)) return name;
    if (known.size >= max) return OTHER;
    known.add(name);
    return name;
  };
}

/** What a failure says of itself. Its facts are safe to show, see `OnbehalfError`. */
export function failureAttributes(error: OnbehalfError): Attributes {
  const { code, status, oauthError } = error;
  return {
    [ATTRIBUTE.errorType]: code,
    ...(status === undefined ? {} : { [ATTRIBUTE.httpStatus]: status }),
    ...(oauthError === undefined ? {} : { [ATTRIBUTE.oauthError]: oauthError }),
  };
}

/** `error.type` of anything that was thrown: a code of ours or of the system, and of others not more than that they are. */
export function errorType(error: unknown): string {
  return isOnbehalfError(error) ? error.code : (networkCause(error)?.message ?? OTHER_ERROR);
}
