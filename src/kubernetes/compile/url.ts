import { isLoopback } from '../../core/secure-url.ts';
import { parseUrl } from '../../core/url.ts';
import type { Context } from './context.ts';
import type { At } from './report.ts';

/** Where requests go, and the field that says so. */
export interface Endpoint {
  readonly url: string;
  readonly at: At;
}

/** Makes sure that it is a URL, and holds no password: no problem repeats it, as it may. */
export function checkUrl(context: Context, { url, at }: Endpoint): void {
  const parsed = parseUrl(url);
  if (!parsed) {
    context.report(at, 'Invalid', 'must be an absolute URL');
  } else if (parsed.username !== '' || parsed.password !== '') {
    context.report(
      at,
      'Invalid',
      'must not hold a user name or password: it would be seen by all who see this object',
    );
  }
}

/** What to say of a server whose tokens could be read on the way. */
export const CLEAR_TEXT: string =
  'is plain http, so that tokens of users could be read on the way: use https, or, in a network that you trust, set spec.dangerouslyAllowInsecureHTTP';

/** Whether what is sent there can be read on the way. */
export function isClearText(url: string): boolean {
  const parsed = parseUrl(url);
  return parsed !== undefined && parsed.protocol === 'http:' && !isLoopback(parsed.hostname);
}
