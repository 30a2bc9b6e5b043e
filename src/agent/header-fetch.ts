import { isReference, secretSource } from '../config/secret-text.ts';
import type { ToolServerConfig } from '../config/tools.ts';
import { OnbehalfError } from '../core/errors.ts';
import type { FetchLike } from '../core/http.ts';
import { readSecret, type SecretSource } from '../core/secret.ts';
import { type AnswerBounds, boundedResponse } from './bounded-response.ts';
import { currentRun } from './caller.ts';
import { createQuotedSecrets } from './quoted-secrets.ts';
import { fetchFor } from './tls.ts';
import type { Environment } from './token-services.ts';

/** What a server's requests are made with. */
export interface HeaderFetchServer
  extends Pick<ToolServerConfig, 'params'>,
    Partial<Pick<ToolServerConfig, 'name' | 'allowed_headers'>> {
  /** Whether a request with these fields is a user's own, so that theirs may go with it. Default: each is. */
  readonly isUsers?: ((headers: Headers) => boolean) | undefined;
}

/** A header field of the config. */
interface Source {
  readonly name: string;
  readonly source: SecretSource;
  readonly what: string;
  readonly isSecret: boolean;
}

/** Names of fields whose values are secrets, wherever they come from. */
const OF_CREDENTIALS = /auth|cookie|credential|key|passw|secret|signature|token/i;

/**
 * A `fetch` with the settings of a server's config: its TLS; its own header fields, below those of the user's request that may be
 * handed on, below those the request has. A field from a file is read anew each time, so that a secret that was rotated is
 * sent without a restart. With `timeout`, an answer has to begin by then; an event stream may last, and be silent for
 * `sse_read_timeout`. Answers are bounded in bytes; see {@link boundedResponse}. What comes from a file or a variable, and what
 * is in a field whose name speaks of credentials, is in no answer; see {@link createQuotedSecrets}. Without `terminate_on_close` a DELETE is answered 405 here, as by a server that
 * lets no client end its sessions.
 *
 * @param path - of what holds `headers` in the config, for errors, e.g. `http_tools[0].params`
 * @throws TypeError that names the field whose variable is not set; the function throws OnbehalfError
 * `client_auth_unavailable` when a file cannot be read, `server_unreachable` when there was no answer in time
 */
export function createHeaderFetch(
  server: HeaderFetchServer,
  environment: Environment,
  path: string,
): FetchLike {
  const { params, allowed_headers: allowed = [], isUsers = () => true } = server;
  const sources = Object.entries(params.headers ?? {}).map(([name, text]): Source => {
    const what = `${path}.headers.${name}`;
    // `2026-01-01` of `x-api-version` has to stay in answers.
    const isSecret = isReference(text) || OF_CREDENTIALS.test(name);
    try {
      return { name: name.toLowerCase(), source: secretSource(text, environment), what, isSecret };
    } catch (error) {
      throw new TypeError(`${what}: ${error instanceof Error ? error.message : 'cannot be read'}`);
    }
  });
  const send = fetchFor(params, path);
  const timeoutMs = milliseconds(params.timeout);
  const secrets = createQuotedSecrets();
  const bounds = { server: nameOf(server), silenceMs: milliseconds(params.sse_read_timeout) };

  return async (url, init) => {
    if (params.terminate_on_close === false && init.method === 'DELETE')
      return new Response(null, { status: 405 });
    const headers = new Headers(init.headers);
    if (isUsers(headers)) handOn(headers, allowed);
    for (const { name, source, what, isSecret } of sources) {
      if (headers.has(name)) continue;
      setField(headers, { name, value: await readSecret(source, what), what });
      if (isSecret) secrets.note(name, headers.get(name) ?? '');
    }
    const response = await withTimeout(timeoutMs, { ...init, headers }, (timed) => send(url, timed));
    const each: AnswerBounds = { ...bounds, requestId: () => idOf(init.body) };
    return secrets.without(boundedResponse(response, each));
  };
}

/** What a server is called where nobody has named it: the host of its URL. */
export function nameOf({ name, params }: Pick<ToolServerConfig, 'name' | 'params'>): string {
  return name ?? new URL(params.url).host;
}

const milliseconds = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : seconds * 1000;

/** Fields of the request that the run answers, where the request itself has none of the name. */
function handOn(headers: Headers, allowed: readonly string[]): void {
  if (allowed.length === 0) return;
  const inbound = currentRun()?.caller.headers();
  for (const name of allowed) {
    const value = inbound?.get(name.toLowerCase());
    if (value !== undefined && !headers.has(name)) {
      setField(headers, { name, value, what: `${name} of the user's request` });
    }
  }
}

/** Id of a JSON-RPC request; `undefined` for all else. */
function idOf(body: RequestInit['body']): unknown {
  if (typeof body !== 'string') return undefined;
  try {
    const { id, method } = Object(JSON.parse(body)) as { id?: unknown; method?: unknown };
    return method === undefined ? undefined : id;
  } catch {
    return undefined;
  }
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
