import { readClaims } from '../../src/core/claims.ts';
import { renderings } from '../support/leaks.ts';
import type { Received } from '../support/loopback.ts';

/** Names of those of the values in which a secret shows, in whatever way they are printed. */
export function showing(
  values: Readonly<Record<string, unknown>>,
  secrets: Iterable<string>,
): readonly string[] {
  const parts = [...secrets].flatMap((secret) => [secret, ...secret.split('.')]).filter(isLong);
  const shows = (value: unknown): boolean =>
    renderings(value).some((text) => parts.some((part) => text.includes(part)));
  return Object.entries(values)
    .filter(([, value]) => shows(value))
    .map(([name]) => `a secret shows in ${name}`);
}

/** Shorter parts are no secret: a word of the claims can be as long. */
const isLong = (part: string): boolean => part.length >= 12;

/** Who may be met at the MCP server: this user, with a token that the STS made for this server. */
export interface Welcome {
  readonly sub: string;
  readonly audiences: readonly string[];
  readonly issued: ReadonlySet<string>;
  /** What was sent to the STS, and must not come here. */
  readonly secrets: ReadonlySet<string>;
}

/** What arrived at the MCP server and must not. */
export function intruders(requests: readonly Received[], welcome: Welcome): readonly string[] {
  return requests.flatMap((request) => {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) return ['the MCP server saw a request without a token'];
    const found = isWelcome(token, welcome) ? [] : ['the MCP server saw a token that is not for it'];
    const rest = JSON.stringify([request.path, { ...request.headers, authorization: '' }, request.body]);
    const foreign = [...welcome.secrets, ...welcome.issued].some((secret) => rest.includes(secret));
    return foreign ? [...found, 'the MCP server saw a secret beside the token'] : found;
  });
}

function isWelcome(token: string, { sub, audiences, issued, secrets }: Welcome): boolean {
  if (!issued.has(token) || secrets.has(token)) return false;
  const claims = readClaims(token);
  const sameAudience =
    claims?.aud.length === audiences.length && audiences.every((one) => claims.aud.includes(one));
  return sameAudience && claims.sub === sub;
}
