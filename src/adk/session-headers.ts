import type { InvocationContext } from '@google/adk';
import { bearerToken } from '../core/bearer.ts';

/**
 * A getter for `subjectToken` that reads the `Authorization` header from the inbound headers which some servers put
 * into the session's state. Prefer `plugin.runAsync`: a session's state is stored and served by the session API, and
 * so is a token in it.
 *
 * @param key - under which the headers are. Default: `headers`
 * @returns a function that throws OnbehalfError `subject_missing` or `subject_malformed`
 */
export function bearerFromSessionState(key = 'headers'): (context: InvocationContext) => string {
  return ({ session }) => {
    const headers: unknown = session.state[key];
    const entries = typeof headers === 'object' && headers !== null ? Object.entries(headers) : [];
    const found = entries.find(([name]) => name.toLowerCase() === 'authorization')?.[1];
    return bearerToken(typeof found === 'string' ? found : undefined);
  };
}
