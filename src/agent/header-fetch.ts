import { secretSource } from '../config/secret-text.ts';
import type { ToolServerConfig } from '../config/tools.ts';
import { OnbehalfError } from '../core/errors.ts';
import type { FetchLike } from '../core/http.ts';
import { readSecret, type SecretSource } from '../core/secret.ts';
import type { Environment } from './token-services.ts';

/**
 * A `fetch` that sends the header fields of a server's config with each request, below those the request has. A field from a
 * file is read anew each time, so that a secret that was rotated is sent without a restart. With `timeout`, an
 * answer has to begin by then; an event stream may last.
 *
 * @param path - of the server in the config, for errors
 * @throws TypeError that names the field whose variable is not set; the function throws OnbehalfError
 * `client_auth_unavailable` when a file cannot be read, `server_unreachable` when there was no answer in time
 */
export function createHeaderFetch(
  { params }: Pick<ToolServerConfig, 'params'>,
  environment: Environment,
  path: string,
): FetchLike {
  const sources = Object.entries(params.headers ?? {}).map(([name, text]): [string, SecretSource, string] => {
    const what = `${path}.params.headers.${name}`;
    try {
      return [name.toLowerCase(), secretSource(text, environment), what];
    } catch (error) {
      throw new TypeError(`${what}: ${error instanceof Error ? error.message : 'cannot be read'}`);
    }
  });
  const timeoutMs = params.timeout === undefined ? undefined : params.timeout * 1000;

  return async (url, init) => {
    const headers = new Headers(init.headers);
    for (const [name, source, what] of sources) {
      if (!headers.has(name)) setField(headers, { name, value: await readSecret(source, what), what });
    }
    return withTimeout(timeoutMs, { ...init, headers }, (timed) => fetch(url, timed));
  };
}

function setField(headers: Headers, field: { name: string; value: string; what: string }): void {
  try {
    headers.set(field.name, field.value);
  } catch {
    // What it throws holds the value.
    throw new OnbehalfError('client_auth_unavailable', `"${field.what}" is no value of a header field`, {
      failure: 'misconfigured',
    });
  }
}

async function withTimeout(
  timeoutMs: number | undefined,
  init: RequestInit,
  send: (init: RequestInit) => Promise<Response>,
): Promise<Response> {
  if (timeoutMs === undefined) return send(init);
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), timeoutMs);
  const signal = AbortSignal.any(init.signal ? [deadline.signal, init.signal] : [deadline.signal]);
  try {
    return await send({ ...init, signal });
  } catch (error) {
    if (!deadline.signal.aborted || init.signal?.aborted) throw error;
    throw new OnbehalfError('server_unreachable', `the server did not answer within ${timeoutMs} ms`, {
      failure: 'unavailable',
    });
  } finally {
    clearTimeout(timer);
  }
}
