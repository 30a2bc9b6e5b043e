import { OnbehalfError } from '../core/errors.ts';
import type { FetchLike } from '../core/http.ts';
import { describeFetchFailure, describeStatus } from './call-failure.ts';
import { type HeaderFields, layerHeaders } from './headers.ts';
import type { McpServer } from './server.ts';
import type { OpenSession } from './session-place.ts';

/** How a client opened its session, so that the same session can be opened for others. */
export interface Handshake {
  /** Its `initialize`. */
  readonly body: string;
  /** Its header fields, without what was only that session's. */
  readonly headers: readonly (readonly [string, string])[];
}

/** Takes down a client's `initialize`. */
export function recordHandshake(init: RequestInit): Handshake {
  const headers = layerHeaders(init.headers as HeaderFields | undefined);
  for (const name of ['authorization', 'mcp-session-id']) headers.delete(name);
  return { body: init.body as string, headers: [...headers] };
}

const INITIALIZED = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
const LONGEST = 1_000_000;

/**
 * Opens another session as the client opened its own: `initialize`, and `notifications/initialized`.
 *
 * @returns the header fields that its requests carry
 * @throws OnbehalfError `server_unreachable`, `server_failed`, or what `fetch` throws
 */
export async function repeatHandshake(
  server: McpServer,
  handshake: Handshake,
  { fetch, signal }: { readonly fetch: FetchLike; readonly signal: AbortSignal },
): Promise<OpenSession['headers']> {
  const url = server.url.href;
  const fields = [...handshake.headers] as [string, string][];
  const post = async (body: string, more: Readonly<Record<string, string>>): Promise<Response> => {
    try {
      const headers = layerHeaders(fields, more);
      const response = await fetch(url, { method: 'POST', headers, body, signal });
      if (response.ok) return response;
      void response.body?.cancel().catch(() => {});
      throw describeStatus(server, response.status, 'opening');
    } catch (error) {
      throw signal.aborted ? signal.reason : describeFetchFailure(server, error, 'opening');
    }
  };
  const response = await post(handshake.body, {});
  const id = response.headers.get('mcp-session-id');
  const version = await readVersion(response);
  if (version === undefined) {
    const message = `${server.name} opened no session: its answer to "initialize" is no result`;
    throw new OnbehalfError('server_failed', message, { failure: 'misconfigured', retryable: false });
  }
  const headers: Record<string, string> = { 'mcp-protocol-version': version };
  if (id !== null) headers['mcp-session-id'] = id;
  await (await post(INITIALIZED, headers)).body?.cancel();
  return headers;
}

/** `protocolVersion` of the result, which comes as JSON or as an event. */
async function readVersion(response: Response): Promise<string | undefined> {
  for await (const message of messages(response)) {
    const { result, error } = Object(message);
    if (error !== undefined) return undefined;
    if (typeof result?.protocolVersion === 'string') return result.protocolVersion;
  }
  return undefined;
}

async function* messages(response: Response): AsyncGenerator<unknown, void, undefined> {
  const events = response.headers.get('content-type')?.startsWith('text/event-stream');
  const decoder = new TextDecoder();
  let text = '';
  // Left before its end, the body is cancelled.
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > LONGEST) return;
    if (!events) continue;
    const complete = text.split(/\r?\n\r?\n/);
    text = complete.pop() ?? '';
    for (const event of complete) yield parse(dataOf(event));
  }
  if (!events) yield parse(text);
}

const dataOf = (event: string): string =>
  event
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5))
    .join('\n');

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
