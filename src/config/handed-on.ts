/** What belongs to one connection, to the message itself, or to whom it was sent to. */
const NEVER: ReadonlySet<string> = new Set([
  ...['authorization', 'cookie', 'cookie2', 'set-cookie', 'host', 'origin', 'forwarded'],
  // Hop-by-hop (RFC 9110 section 7.6.1, RFC 2616 section 13.5.1).
  ...['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings'],
  ...['accept', 'accept-encoding', 'expect', 'last-event-id', 'range'],
]);
const NEVER_BEGINS = /^(?:content-|mcp-|proxy-|sec-|:)/;

/** Why a field is never handed on to a server, whatever the config says; `undefined` where it may be. */
export function whyNotHandedOn(name: string): string | undefined {
  const lower = name.toLowerCase();
  if (!/^[\w!#$%&'+.^`|~-]+$/.test(lower)) return 'is no name of a header field';
  if (lower === 'authorization') {
    return "is never handed on: the user's token is for this agent alone; say sts_audience, and the server gets one of its own";
  }
  if (NEVER.has(lower) || NEVER_BEGINS.test(lower)) return 'is never handed on: leave it out';
  return undefined;
}
