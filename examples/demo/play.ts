// The demo as a command: plays it and prints it.
import { writeFileSync } from 'node:fs';
import { LoggingPlugin, LogLevel } from '@google/adk';
import { type DemoOptions, type RunResult, runDemo } from './demo.ts';
import { logToStderr } from './logging.ts';
import type { Flags } from './main.ts';
import { brokenPromises, createNarrator } from './timeline.ts';

/** Plays the demo, prints it as the flags say and gives the exit code. */
export async function play(flags: Flags, signal: AbortSignal): Promise<number> {
  logToStderr(flags.verbose ? LogLevel.DEBUG : LogLevel.ERROR);
  const print = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR;
  const narrator = flags.json ? undefined : createNarrator(print, colour);
  const tokens: string[] = [];
  const options: DemoOptions = { signal, onToken: (token) => tokens.push(token) };
  if (narrator) options.onRun = narrator.run;
  if (flags.verbose) options.extraPlugins = [new LoggingPlugin()];

  narrator?.intro();
  let results: RunResult[];
  try {
    results = await runDemo(options);
  } finally {
    if (flags['tokens-file']) writeFileSync(flags['tokens-file'], JSON.stringify(tokens), { mode: 0o600 });
  }

  const ok = results.every(({ kept }) => kept);
  narrator?.outro(results);
  if (flags.json) print(JSON.stringify({ ok, runs: results.map(({ seen }) => seen.report) }));
  for (const line of brokenPromises(results)) process.stderr.write(`not as promised: ${line}\n`);
  return ok ? 0 : 1;
}
