import type { Delegation } from '../broker/delegation.ts';
import { abortable } from '../core/abortable.ts';
import { OnbehalfError } from '../core/errors.ts';
import type { FetchLike } from '../core/http.ts';
import { hearFirst } from './first-answer.ts';
import type { McpServer } from './server.ts';
import type { Farewell, OpenSession, Place } from './session-place.ts';

/** A session that is kept, from the moment that it is being opened. */
export interface Entry {
  readonly key: string;
  readonly place: Place<OpenSession>;
  readonly tags: readonly string[];
  readonly opening: Promise<OpenSession>;
  readonly givenUp: AbortController;
  /** Resolves when the server has named it, or will not any more. */
  named: () => Promise<void>;
  readonly farewell: Farewell;
  /** Known as soon as the server has answered `initialize`, so that what is half open can be closed too. */
  headers: Readonly<Record<string, string>>;
  /** Known when it is open. */
  session: OpenSession | undefined;
  /** Its server knows it no more, so it has to be told nothing. */
  forgotten: boolean;
  closing: Promise<void> | undefined;
  /** The calls under way, each by its run. All have the same identity, so a request may be made under any that lasts. */
  readonly users: (Delegation | undefined)[];
  readonly endsAt: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Runs a function in the asynchronous context of whoever opened it. */
  readonly inContext: <T>(fn: () => T) => T;
}

/** Opening does nothing yet: what hangs holds up those who wait now, and not those who come later. */
const OPENING_MS = 30_000;

/**
 * Opens the session of an entry.
 *
 * @param isActive - whether a run lasts
 */
export async function openEntry(
  entry: Entry,
  isActive: (delegation: Delegation) => boolean,
): Promise<OpenSession> {
  const { place, givenUp } = entry;
  const [first] = entry.users;
  const who = (): Delegation =>
    (entry.users.findLast((user) => user && isActive(user)) ?? first) as Delegation;
  const timer = setTimeout(() => givenUp.abort(slow(place.server)), OPENING_MS).unref();
  const hear = ({ headers }: Response): void => {
    const id = headers.get('mcp-session-id');
    if (id !== null && !entry.session) entry.headers = { 'mcp-session-id': id };
  };
  const fetch = (server: McpServer): FetchLike => {
    // Below whoever adds the token: when nobody waits any more, none is asked for.
    const first = hearFirst(server.fetch, { hear, givenUp: givenUp.signal });
    entry.named = first.settled;
    return place.identity.fetch({ ...server, fetch: first.fetch }, who);
  };
  try {
    return await abortable(place.open({ fetch, signal: givenUp.signal }), givenUp.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Why nothing is opened any more, or was not to its end. */
export const closed = (): Error => new TypeError('these sessions were closed');

export function endedMeanwhile(): OnbehalfError {
  const message = 'the run that this delegation was for ended while its session was opened';
  return new OnbehalfError('delegation_ended', message, { failure: 'reauthentication_required' });
}

function slow(server: McpServer): OnbehalfError {
  const message = `${server.name} opened no session within ${OPENING_MS} ms`;
  return new OnbehalfError('server_unreachable', message, { failure: 'unavailable' });
}

/** Parts with a session, at the server and here. Never fails. */
export async function part(entry: Entry, say: FetchLike | undefined): Promise<void> {
  await entry.opening.catch(() => {});
  await entry.named();
  if (say && entry.headers['mcp-session-id'])
    await sayDelete(entry.place.server, entry.headers, say).catch(() => {});
  await entry.session?.dispose?.().catch(() => {});
}

/** How long a DELETE may take: nobody waits for a server that does not answer. */
const DELETE_TIMEOUT_MS = 2_000;

/** Ends a session at the server (MCP Streamable HTTP, session management). A server may refuse; that is its right. */
export async function sayDelete(
  server: McpServer,
  headers: OpenSession['headers'],
  say: FetchLike,
): Promise<void> {
  const signal = AbortSignal.timeout(DELETE_TIMEOUT_MS);
  const response = await say(server.url.href, { method: 'DELETE', headers, signal });
  await response.body?.cancel();
}
