const LONGEST = 65_536;

/**
 * An error answer without the token that was sent: clients put the whole of it into the errors they throw. A body of more
 * than 64 KiB is left out.
 */
export async function redactedResponse(response: Response, token: string): Promise<Response> {
  const headers = new Headers();
  for (const [name, value] of response.headers) {
    if (!ABOUT_BODY.has(name)) headers.append(name, value.replaceAll(token, REDACTED));
  }
  const body = (await beginningOf(response)).replaceAll(token, REDACTED);
  // A text of the server's beside the status is of no use. A status beyond 599 is none that a Response can have.
  return new Response(body, { status: Math.min(response.status, 599), headers });
}

const REDACTED = '[redacted]';

/** The body is another one. */
const ABOUT_BODY: ReadonlySet<string> = new Set(['content-length', 'content-encoding', 'transfer-encoding']);

async function beginningOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  // Left before its end, the body is cancelled.
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    // Cut off in the middle, a token would not be found.
    if (text.length > LONGEST) return '';
  }
  return text;
}
