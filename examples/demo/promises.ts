// A promise is a sentence, a way to look at what was recorded (mostly by the MCP servers themselves) and what
// must be found there.
import type { ExchangeRecord } from 'onbehalf/sts';
import type { RecordedRequest } from './mcp-server.ts';
import { AGENT, AUDIENCE, type ServerName } from './names.ts';

/** A run as it appears in the JSON document. */
export interface RunReport {
  name: string;
  subjects: string[];
  toolCalls: number;
  /** Token exchange requests that reached the STS, refused ones included. */
  exchanges: number;
  /** As the agent server's metrics say. */
  cacheEntriesAfter: number;
  /** What the MCP servers recorded, in order of arrival. */
  requests: Omit<RecordedRequest, 'at'>[];
}

/** What the model got back for a tool call. */
export interface ToolAnswer {
  at: number;
  sub: string;
  tool: string;
  response: Record<string, unknown>;
}

/** Everything a promise may look at. */
export interface Seen {
  report: RunReport;
  answers: readonly ToolAnswer[];
  /** What the STS recorded. */
  exchanges: readonly ExchangeRecord[];
  /** Errors that ended an agent's run. */
  failures: readonly string[];
  /** What those were told whose message was not taken. */
  refusals: readonly string[];
}

export interface Promised {
  text: string;
  expected: unknown;
  find: (seen: Seen) => unknown;
}

export const toolCalls = ({ report }: Seen, server?: ServerName): RunReport['requests'] =>
  report.requests.filter(
    (seen) => seen.method === 'tools/call' && (server === undefined || seen.server === server),
  );

export const callsAt = (seen: Seen): string[] =>
  toolCalls(seen).map((request) => `${request.server} ${request.status}`);

export const audiencesAt =
  (server: ServerName) =>
  (seen: Seen): string[] =>
    distinct(
      seen.report.requests.filter((request) => request.server === server).flatMap(({ aud }) => aud ?? []),
    );

export const exchanged = ({ exchanges }: Seen): string[] =>
  exchanges.map(({ sub, audience, outcome }) => `${sub} ${audience.join('+')} ${outcome}`).toSorted();

export const errorsIn = ({ answers }: Seen): string[] =>
  answers
    .filter(({ response }) => response.error !== undefined || response.isError === true)
    .map(({ tool }) => tool);

export const distinct = (values: readonly string[]): string[] => [...new Set(values)].toSorted();

/** Promised of every run, whatever happens in it. */
export const ALWAYS: readonly Promised[] = [
  {
    text: 'every tool call had a token; every token was the user’s, for that server, by this agent',
    expected: [],
    find: ({ report }) =>
      report.requests
        .filter(({ method, sub }) => method === 'tools/call' || sub !== undefined)
        .filter(({ server, sub = '', act, aud }) => {
          const own = aud?.length === 1 && aud[0] === AUDIENCE[server as ServerName];
          return !own || act !== AGENT || !report.subjects.includes(sub);
        })
        .map(
          ({ server, method, sub, act, aud }) => `${server} ${method}: sub ${sub}, act ${act}, aud ${aud}`,
        ),
  },
  {
    text: 'no server was shown a token that it could not accept, or asked for something unknown',
    expected: [],
    find: ({ report }) =>
      report.requests
        .filter(({ status, sub }) => status >= 400 && sub === undefined)
        .map(({ server, method, status }) => `${server} ${method}: ${status}`),
  },
  {
    text: 'no token is left when the run is over',
    expected: 0,
    find: ({ report }) => report.cacheEntriesAfter,
  },
  { text: 'the agent came to the end of its work', expected: [], find: ({ failures }) => failures },
];

export function answersAbout(sub: string, answers: readonly ToolAnswer[]): number {
  return answers.filter((answer) => answer.sub === sub && JSON.stringify(answer.response).includes(sub))
    .length;
}

export function deniedError({ answers }: Seen): unknown {
  const error = answers.find(({ tool }) => tool === 'find_file')?.response.error;
  if (typeof error !== 'object' || error === null) return error;
  const { message: _forPeople, ...forPrograms } = error as Record<string, unknown>;
  return forPrograms;
}

/** A tool, and what it found in the agent's memory. */
export function remembered({ tool, response }: ToolAnswer): string {
  const found = /Mornings[^."]*/.exec(JSON.stringify(response));
  return found ? `${tool}: ${found[0]}` : tool;
}
