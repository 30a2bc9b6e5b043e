/** A `fetch` for the transport of any MCP client. */
export type PlainFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** A request as URL and init. A Request's body can be read once; here it is read, so that it can be sent twice. */
export async function readRequest(
  input: string | URL | Request,
  given: RequestInit = {},
): Promise<{ url: string; init: RequestInit }> {
  if (!(input instanceof Request)) return { url: String(input), init: given };
  const { method, headers, signal } = input;
  const body = input.body === null ? null : await input.text();
  const overrides = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { url: input.url, init: { method, headers, signal, body, ...overrides } };
}

/** Whether a body is the same when it is sent again: a stream, or whatever else is iterated, is then empty. */
export function isReplayable(body: unknown): boolean {
  if (body === undefined || body === null || typeof body === 'string') return true;
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return true;
  return body instanceof Blob || body instanceof URLSearchParams || body instanceof FormData;
}
