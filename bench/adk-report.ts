// What the numbers of the ADK bench say: budgets, ratios, tables.
import type { Name, Row } from './adk.ts';
import { median } from './stats.ts';

export interface Budget {
  promise: string;
  measured: string;
  met: boolean;
}

export interface Ratio {
  scenario: string;
  /** Stock divided by this one: how many times fewer requests, how many times faster. */
  contender: Name;
  requests: number;
  /** Median over the rounds of the ratio of the two medians of that round. */
  toolCallP50: number;
  runP50: number;
}

type Find = (scenario: string, contender: Name) => Row;

const OURS: readonly Name[] = ['ours cold', 'ours warm', 'ours run'];

function finder(rows: readonly Row[]): Find {
  return (scenario, contender) => {
    const row = rows.find((one) => one.scenario === scenario && one.contender === contender);
    if (!row) throw new Error(`nothing measured for ${contender} in ${scenario}`);
    return row;
  };
}

export function ratiosOf(rows: readonly Row[]): Ratio[] {
  const find = finder(rows);
  return rows
    .filter((row) => row.contender !== 'stock')
    .map((row) => {
      const base = find(row.scenario, 'stock');
      return {
        scenario: row.scenario,
        contender: row.contender,
        requests: base.requestsPerRun / row.requestsPerRun,
        toolCallP50: inSameRound(base, row, 'toolCall'),
        runP50: base.run.p50 / row.run.p50,
      };
    });
}

export function budgetsOf(rows: readonly Row[]): Budget[] {
  const find = finder(rows);
  const stockTen = find('10 calls', 'stock');
  const stockCrowd = find('256 users', 'stock');
  const failedOfOurs = OURS.map((name) => find('256 users', name).failed);
  const atMost = (contender: Name, limit: number): Budget => {
    const { requestsPerRun } = find('10 calls', contender);
    return {
      promise: `10-call run, ${contender}: at most ${limit} HTTP requests (stock: ${number(stockTen.requestsPerRun)})`,
      measured: number(requestsPerRun),
      met: requestsPerRun <= limit,
    };
  };
  const speedUps = OURS.map((name) => inSameRound(stockTen, find('10 calls', name), 'toolCall'));
  const slowest = Math.min(...speedUps);
  const overBare = inSameRound(find('10 calls', 'ours warm'), find('10 calls', 'bare client'), 'insideTool');
  return [
    atMost('ours cold', 18),
    atMost('ours warm', 12),
    {
      promise: '256 users at once: no failed run of ours, where stock fails',
      measured: `ours ${failedOfOurs.join(', ')}; stock ${stockCrowd.failed} of ${stockCrowd.runs}`,
      met: failedOfOurs.every((failed) => failed === 0) && stockCrowd.failed > 0,
    },
    {
      promise: 'tool-call p50, callbacks included, 10 calls: at least 3x faster than stock',
      measured: `${number(slowest)}x (cold, warm, run: ${speedUps.map((ratio) => `${number(ratio)}x`).join(', ')})`,
      met: slowest >= 3,
    },
    {
      promise: 'inside the tool (warm, 10 calls): at most 1.15x of a bare kept client',
      measured: `${overBare.toFixed(2)}x`,
      met: overBare <= 1.15,
    },
  ];
}

/**
 * How many times `a` is as slow as `b`: compared round by round, since the machine's load changes between rounds
 * more than within one.
 */
function inSameRound(a: Row, b: Row, what: 'toolCall' | 'insideTool'): number {
  return median(a.rounds.map((round, index) => round[what] / (b.rounds[index]?.[what] ?? Number.NaN)));
}

export function printReport(rows: readonly Row[], print: (line: string) => void): void {
  print('Times in ms. "tool call" is measured around each call with all plugin callbacks, "inside" in the');
  print('tool itself. cold: first run of a process; warm: next run of the same user; run: tokens and');
  print('sessions dropped at the end of each run. bare client: a tool around one MCP client that is kept');
  print('open, for no user in particular. HTTP counts MCP server and STS together.');
  print('');
  for (const line of mainTable(rows)) print(line);
  print('');
  for (const line of kindTable(rows)) print(line);
  print('');
  for (const line of failureLines(rows)) print(line);
  for (const line of ratioTable(ratiosOf(rows))) print(line);
  print('');
  for (const { promise, measured, met } of budgetsOf(rows)) {
    print(`${met ? 'met    ' : 'NOT MET'}  ${promise}`);
    print(`         measured: ${measured}`);
  }
}

function mainTable(rows: readonly Row[]): string[] {
  const head = [
    'scenario',
    'contender',
    'runs',
    'failed',
    'HTTP/run',
    'tool call p50',
    'p95',
    'inside p50',
    'run p50',
  ];
  const cells = rows.map((row) => [
    row.scenario,
    row.contender,
    `${row.runs}`,
    `${row.failed}`,
    number(row.requestsPerRun),
    row.toolCall.p50.toFixed(2),
    row.toolCall.p95.toFixed(2),
    row.insideTool.p50.toFixed(2),
    row.run.p50.toFixed(1),
  ]);
  return table([head, ...cells]);
}

function kindTable(rows: readonly Row[]): string[] {
  const shown = rows.filter((row) => row.scenario === '10 calls');
  const kinds = [...new Set(shown.flatMap((row) => Object.keys(row.requests)))];
  const cells = kinds.map((kind) => [
    kind.replace('notifications/', ''),
    ...shown.map((row) => number((row.requests[kind] ?? 0) / row.runs)),
  ]);
  return table([['requests of a 10-call run', ...shown.map((row) => row.contender)], ...cells]);
}

function ratioTable(ratios: readonly Ratio[]): string[] {
  const head = ['stock compared with', '', 'HTTP', 'tool call p50', 'run p50'];
  const times = (ratio: number): string => `${number(ratio)}x`;
  return table([
    head,
    ...ratios.map((ratio) => [
      ratio.scenario,
      ratio.contender,
      times(ratio.requests),
      times(ratio.toolCallP50),
      times(ratio.runP50),
    ]),
  ]);
}

function failureLines(rows: readonly Row[]): string[] {
  const lines = rows.flatMap((row) =>
    Object.entries(row.failures).map(
      ([failure, count]) =>
        `${row.scenario}, ${row.contender}: ${count} failed with "${failure.slice(0, 90)}"`,
    ),
  );
  return lines.length > 0 ? [...lines, ''] : [];
}

/** The first two columns are words, the others numbers. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        /^[\d.]+x?$|^NaNx?$/.test(cell) || column > 1
          ? cell.padStart(widths[column] ?? 0)
          : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

function number(value: number): string {
  return Number.isInteger(value) ? `${value}` : value.toFixed(1);
}
