// Turns what the servers, the STS and the client saw into counts.
import type { Mishap, Plan } from './plan.ts';
import type { MadeCall } from './run.ts';
import type { SeenRequest } from './server.ts';
import type { World } from './world.ts';

/** How many there are, and what some of them are. */
export interface Some {
  readonly count: number;
  readonly some: readonly string[];
}

const someOf = (all: readonly string[]): Some => ({ count: all.length, some: all.slice(0, 5) });

/** What came of a run of the suite: numbers and names, no tokens. */
export interface IsolationCounts {
  readonly client: string;
  readonly seed: number;
  readonly users: number;
  readonly calls: number;
  /** Answered by the tool. */
  readonly ok: number;
  /** Failed, and something happened to the call that it must or may fail of. */
  readonly failedAsExpected: number;
  /** Failed for no such reason, or did not fail though it must; some of them in words. */
  readonly unexpected: Some;
  /** Calls that a server saw under another subject than their caller, or a caller got another's answer to. */
  readonly wrongIdentity: number;
  /** Requests with one subject's token in the session of another. */
  readonly inOthersSession: number;
  readonly callsWithoutToken: number;
  /** Requests with a token that is not for that server: a subject token, another server's, an expired one. */
  readonly foreignTokens: number;
  /** Calls that were sent for the user whom the STS denies. */
  readonly sentForDenied: number;
  /** Calls that were begun after their user's subject token had expired, and sent. */
  readonly sentAfterExpiry: number;
  /** Requests at the thief or at another path, and those of them with a credential. */
  readonly stolen: { readonly requests: number; readonly withCredential: number };
  /** Attempts at the STS, and how many there may be: one for each (user, target), one for each token that was refused. */
  readonly exchanges: { readonly made: number; readonly allowed: number; readonly tooMany: Some };
  /** Calls that were carried out more than once. */
  readonly executedTwice: number;
  /** MCP sessions that were not closed. */
  readonly sessionsLeft: Some;
  /** How often each mishap happened. */
  readonly mishaps: Readonly<Record<string, number>>;
  readonly ms: number;
}

export interface RunRecord {
  readonly client: string;
  readonly seed: number;
  readonly plan: Plan;
  readonly world: World;
  readonly made: readonly MadeCall[];
  readonly ms: number;
}

export function count(record: RunRecord): IsolationCounts {
  const { client, seed, plan, world, made, ms } = record;
  const requests = world.running.flatMap((server) => server.requests);
  const calls = requests.filter(({ marker }) => marker !== undefined);
  const executed = world.running.flatMap((server) => server.executed);
  const late = new Set(made.filter((call) => call.late).map(({ marker }) => marker));
  const verdicts = verdictsOn(made, { plan, calls, executed });
  const unexpected = verdicts.filter((verdict) => verdict !== 'ok' && verdict !== 'failed as expected');
  return {
    ...{ client, seed, ms, users: plan.users.length, calls: made.length },
    ok: verdicts.filter((verdict) => verdict === 'ok').length,
    failedAsExpected: verdicts.filter((verdict) => verdict === 'failed as expected').length,
    unexpected: someOf(unexpected),
    wrongIdentity: calls.filter(isUnderAnother).length + made.filter(hasAnothersAnswer).length,
    inOthersSession: requests.filter((seen) => seen.inOthersSession).length,
    callsWithoutToken: calls.filter(({ identity }) => identity.kind === 'none').length,
    foreignTokens: requests.filter(({ identity }) => identity.kind === 'foreign').length,
    sentForDenied: calls.filter(({ marker }) => userOf(marker) === plan.denied).length,
    sentAfterExpiry: calls.filter(({ marker }) => late.has(marker ?? '')).length,
    stolen: {
      requests: world.thief.requests.length,
      withCredential: world.thief.requests.filter(({ credentials }) => credentials.length > 0).length,
    },
    exchanges: exchangesOf(record, requests),
    executedTwice: executed.length - new Set(executed).size,
    sessionsLeft: someOf(sessionsLeft(world, plan)),
    mishaps: mishapsOf(made),
  };
}

const userOf = (marker: string | undefined): string | undefined => marker?.split('/')[0];

/** A token for another server or of nobody is counted apart. */
function isUnderAnother({ marker, identity }: SeenRequest): boolean {
  return 'sub' in identity && identity.sub !== userOf(marker);
}

function hasAnothersAnswer({ outcome, sub, marker }: MadeCall): boolean {
  return outcome.kind === 'answered' && (outcome.sub !== sub || outcome.marker !== marker);
}

/** A 401 to a good token: nothing but a mishap answers so. */
const isForced = ({ status, identity }: SeenRequest): boolean => status === 401 && identity.kind === 'user';

/** By `sub server`: how many exchanges there may be, and how many there were. */
function exchangesOf(record: RunRecord, requests: readonly SeenRequest[]): IsolationCounts['exchanges'] {
  const allowed = new Map<string, number>();
  const made = new Map<string, number>();
  const add = (to: Map<string, number>, pair: string): unknown => to.set(pair, (to.get(pair) ?? 0) + 1);
  // A refusal is remembered for a minute, and forgotten when the clock is moved.
  const askedAnew = 1 + Math.floor(record.ms / 60_000);
  for (const { late, sub, server } of record.made) {
    if (!late) allowed.set(`${sub} ${server}`, sub === record.plan.denied ? 1 + askedAnew : 1);
  }
  const refused = new Set<string | undefined>();
  for (const seen of requests) {
    // Many that meet a 401 with the same token need one exchange.
    if (!isForced(seen) || refused.has(digestOf(seen))) continue;
    refused.add(digestOf(seen));
    add(allowed, `${'sub' in seen.identity && seen.identity.sub} ${seen.server}`);
  }
  for (const { sub, audience } of record.world.exchanges) add(made, `${sub} ${audience.join(' ')}`);
  const excess = [...made].filter(([pair, number]) => number > (allowed.get(pair) ?? 0));
  return {
    made: record.world.exchanges.length,
    allowed: [...allowed.values()].reduce((sum, number) => sum + number, 0),
    tooMany: someOf(
      excess.map(([pair, number]) => `${number} of ${allowed.get(pair) ?? 0} allowed for ${pair}`),
    ),
  };
}

/**
 * The sessions that were left, in words. Where no good token is left there is none to close a session with: of him who
 * expired, and where the server has refused each token that it was shown.
 */
function sessionsLeft({ running }: World, { expiring }: Plan): string[] {
  return running.flatMap(({ name, sessions, requests }) =>
    sessions().flatMap((sub) => {
      const theirs = requests.filter(({ identity }) => 'sub' in identity && identity.sub === sub);
      const refused = new Set(theirs.filter(isForced).map(digestOf));
      if (sub === expiring || (refused.size > 0 && theirs.every((seen) => refused.has(digestOf(seen)))))
        return [];
      const last = theirs.slice(-6).map(({ method, status }) => `${method} ${status}`);
      return [`of ${sub ?? 'nobody'} at ${name} (last ${last.join(', ') || 'nothing'})`];
    }),
  );
}

const digestOf = ({ identity }: SeenRequest): string | undefined =>
  'digest' in identity ? identity.digest : undefined;

function mishapsOf(made: readonly MadeCall[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { mishap } of made) if (mishap) counts[mishap.kind] = (counts[mishap.kind] ?? 0) + 1;
  return counts;
}

interface Evidence {
  readonly plan: Plan;
  readonly calls: readonly SeenRequest[];
  readonly executed: readonly string[];
}

/** For each call `ok`, `failed as expected`, or what is wrong with how it ended. */
function verdictsOn(made: readonly MadeCall[], { plan, calls, executed }: Evidence): string[] {
  const statusesOf = new Map<string, number[]>(made.map(({ marker }) => [marker, []]));
  const refused = new Set<string>();
  for (const seen of calls) {
    const refusal = `${seen.marker} ${digestOf(seen)}`;
    // To show the same token twice is no second try.
    if (seen.status !== 401 || !refused.has(refusal)) statusesOf.get(seen.marker ?? '')?.push(seen.status);
    if (seen.status === 401) refused.add(refusal);
  }
  const done = new Set(executed);
  return made.map((call) => {
    const statuses = statusesOf.get(call.marker) ?? [];
    const expected = expectation(call, plan, statuses);
    const { outcome } = call;
    const name = `${call.marker} at ${call.server} (${call.mishap?.kind ?? 'no mishap'}; answered ${statuses.join(', ') || 'nothing'})`;
    if (outcome.kind === 'answered') {
      if (expected === 'failure' || expected === 'coded failure') return `${name} did not fail`;
      return done.has(call.marker) ? 'ok' : `${name} was answered, but never carried out`;
    }
    if (expected === 'answer') return `${name} failed: ${outcome.code ?? 'no code'}, ${outcome.said}`;
    if (expected === 'coded failure' && outcome.code === undefined)
      return `${name} failed without a code: ${outcome.said}`;
    if (expected !== 'coded failure' && !isOf(call, outcome.code))
      return `${name} failed of something else: ${outcome.code}, ${outcome.said}`;
    return 'failed as expected';
  });
}

function expectation(
  { sub, late, overtaken, cut, justCut, mishap }: MadeCall,
  { denied }: Plan,
  statuses: readonly number[],
): 'answer' | 'failure' | 'coded failure' | 'either' {
  if (sub === denied || late) return 'coded failure';
  if (MUST_FAIL.has(mishap?.kind) && statuses.some(isFinal)) return cut ? 'either' : 'failure';
  // Only where the server did not answer: what it did must reach the caller.
  if (justCut && !statuses.includes(200)) return 'either';
  // One 401 and one 404 are made good; nobody has to try for ever.
  const tries = (status: number): number => statuses.filter((one) => one === status).length;
  return cut || overtaken || tries(401) > 1 || tries(404) > 1 ? 'either' : 'answer';
}

/** Whether an error's code, if there is one, can be that of what happened to the call. */
function isOf({ overtaken }: MadeCall, code: string | undefined): boolean {
  return code === undefined || code.startsWith('server_') || (overtaken && code === 'subject_expired');
}

const MUST_FAIL: ReadonlySet<Mishap['kind'] | undefined> = new Set(['redirected', 'lost']);

/** Of a redirect, a lost answer or an error: what a call must not survive. */
const isFinal = (status: number): boolean => status === 0 || status >= 500 || (status >= 300 && status < 400);
