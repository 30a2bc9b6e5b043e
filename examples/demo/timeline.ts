// The demo for a person at a terminal: what happened when, what was promised, and a closing table.
import { inspect, styleText } from 'node:util';
import type { Check, Happening, RunResult } from './demo.ts';
import type { RecordedRequest } from './mcp-server.ts';
import { SERVERS } from './names.ts';
import { ALWAYS } from './promises.ts';

type Format = Parameters<typeof styleText>[0];

/** Prints lines of at most 100 columns. */
export interface Narrator {
  intro(): void;
  run(result: RunResult): void;
  outro(results: readonly RunResult[]): void;
}

interface Line {
  at: number;
  who: string;
  what: string;
  /** What the server read from the token. */
  claims?: string;
  format?: Format;
  /** Requests around the calls (opening a session, listing tools), gathered in one line for each server. */
  gathered?: RecordedRequest[];
}

export function createNarrator(print: (line: string) => void, colour: boolean): Narrator {
  const paint = (format: Format, text: string): string => (colour ? styleText(format, text) : text);

  const mark = (kept: boolean): string => (kept ? paint('green', '✓') : paint('red', '✗'));

  function printLine({ at, who, what, claims, format }: Line): void {
    const time = paint('dim', `${at.toFixed(0).padStart(6)} ms`);
    const body = format ? paint(format, what.padEnd(37)) : what.padEnd(37);
    print(
      `${time}  ${paint(nameFormat(who), who.padEnd(9))} ${body} ${paint('dim', claims ?? '')}`.trimEnd(),
    );
  }

  function printCheck({ kept, text, expected, found }: Check): void {
    print(`   ${mark(kept)} ${text}`);
    if (kept) return;
    print(paint('red', `     expected ${show(expected)}`));
    print(paint('red', `     found    ${show(found)}`));
  }

  let number = 0;
  return {
    intro() {
      print('An agent calls tools on three MCP servers for its users. Each server must see the user, acting');
      print(
        'through the agent, by a token made for that server alone. The agent starts with nothing but the',
      );
      print(
        "user's own token; a token for a server is exchanged (RFC 8693) at the first call that needs it.",
      );
      print(
        'Everything is real and local: the STS, the tokens, the MCP servers, and the agent servers, each made',
      );
      print('of a config file and asked over A2A. Only the model follows a script.');
    },
    run(result) {
      number += 1;
      print('');
      print(`${paint('bold', `${number}  ${result.plan.name}`)}`);
      print(`   ${result.plan.story}`);
      print('');
      for (const line of linesOf(result)) printLine(line);
      print('');
      for (const check of result.checks) if (!check.kept || !isCommon(check)) printCheck(check);
    },
    outro(results) {
      print('');
      print(paint('bold', 'In every run'));
      for (const { text } of ALWAYS) {
        const kept = results.every(({ checks }) => checks.find((check) => check.text === text)?.kept);
        print(`   ${mark(kept)} ${text}`);
      }
      print('');
      for (const row of tableOf(results)) print(row);
      print('');
      const broken = brokenPromises(results);
      const total = results.reduce((sum, { checks }) => sum + checks.length, 0);
      if (broken.length === 0) print(paint('green', `All ${total} promises were kept.`));
      else print(paint('red', `${broken.length} of ${total} promises were broken.`));
    },
  };
}

function isCommon({ text }: Check): boolean {
  return ALWAYS.some((promised) => promised.text === text);
}

/** What was expected and what was found, for every promise that was not kept. */
export function brokenPromises(results: readonly RunResult[]): string[] {
  return results.flatMap(({ plan, checks }) =>
    checks
      .filter(({ kept }) => !kept)
      .map(
        ({ text, expected, found }) =>
          `${plan.name}: ${text}: expected ${show(expected)}, found ${show(found)}`,
      ),
  );
}

function linesOf({ happenings }: RunResult): Line[] {
  const start = happenings[0]?.at ?? 0;
  const lines: Line[] = [];
  const calledTools = new Set(
    happenings.map((one) => (one.kind === 'request' ? one.request.tool : undefined)),
  );
  let gathering = new Map<string, RecordedRequest[]>();
  for (const happening of happenings) {
    const at = happening.at - start;
    if (happening.kind === 'request' && happening.request.tool === undefined) {
      const { request } = happening;
      const key = `${request.server} ${request.sub}`;
      const gathered = gathering.get(key);
      if (gathered) {
        gathered.push(request);
        continue;
      }
      const first = [request];
      gathering.set(key, first);
      lines.push({
        at,
        who: request.server,
        what: '',
        claims: claimsOf(request),
        format: 'dim',
        gathered: first,
      });
      continue;
    }
    const line = lineOf(happening, at, calledTools);
    if (!line) continue;
    lines.push(line);
    gathering = new Map();
  }
  return lines.map((line) => (line.gathered ? { ...line, what: inWords(line.gathered) } : line));
}

function lineOf(happening: Happening, at: number, calledTools: Set<string | undefined>): Line | undefined {
  switch (happening.kind) {
    case 'asked':
      return { at, who: happening.sub, what: `"${happening.text}"` };
    case 'refused':
      return { at, who: 'agent', what: `refuses ${happening.sub}: not their chat`, format: 'yellow' };
    case 'exchange': {
      const { sub, audiences, outcome, durationMs } = happening.exchange;
      const made = outcome === 'issued';
      return {
        at,
        who: 'sts',
        what: `${made ? 'makes' : 'refuses'} a token for ${audiences.join(', ')}`,
        claims: `from ${sub}'s token, in ${durationMs} ms`,
        format: made ? 'cyan' : 'yellow',
      };
    }
    case 'request': {
      const { server, tool, status } = happening.request;
      const line: Line = { at, who: server, what: `${tool}: ${status}`, claims: claimsOf(happening.request) };
      return status === 200 ? line : { ...line, format: 'yellow' };
    }
    case 'answer': {
      const { tool, response } = happening.answer;
      // A call that reached a server has its line already.
      if (calledTools.has(tool)) return undefined;
      const error = response.error as { failure?: unknown } | undefined;
      if (!error) return { at, who: 'agent', what: `${tool}: its own tool, no token needed` };
      return { at, who: 'agent', what: `${tool}: ${error.failure}, not called`, format: 'yellow' };
    }
  }
}

function inWords(requests: readonly RecordedRequest[]): string {
  const methods = requests.map(({ method }) => method);
  const words = [
    methods.includes('initialize') ? 'session opened' : '',
    methods.includes('tools/list') ? 'tools listed' : '',
    methods.includes('DELETE') ? 'session closed' : '',
  ].filter((word) => word !== '');
  return words.length > 0 ? words.join(', ') : methods.join(', ');
}

function claimsOf({ sub, act, aud }: RecordedRequest): string {
  return sub === undefined ? 'no token' : `sub ${sub}, act ${act}, aud ${aud?.join(' ')}`;
}

function nameFormat(who: string): Format {
  if (who === 'sts') return 'cyan';
  return (SERVERS as readonly string[]).includes(who) ? 'blue' : 'bold';
}

function tableOf(results: readonly RunResult[]): string[] {
  const rows = results.map(({ seen: { report }, kept }) => [
    report.name,
    report.subjects.join(', '),
    `${report.toolCalls}`,
    `${report.exchanges}`,
    ...SERVERS.map((name) => `${report.requests.filter(({ server, sub }) => server === name && sub).length}`),
    `${report.cacheEntriesAfter}`,
    kept ? 'yes' : 'NO',
  ]);
  const head = ['run', 'users', 'tool calls', 'exchanges', ...SERVERS, 'tokens left', 'as promised'];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const toLine = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  const numbers = [
    'Below each server: the requests it got with a user’s token. Exchanges count refused ones too.',
    '',
  ];
  return [...numbers, toLine(head), ...rows.map(toLine)];
}

function show(value: unknown): string {
  return inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 4 });
}
