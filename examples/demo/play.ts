// The demo as a command: plays it and prints it.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { LogLevel } from '@google/adk';
import { type DemoOptions, type RunResult, runDemo } from './demo.ts';
import { logToStderr } from './logging.ts';
import type { Flags } from './main.ts';
import { brokenPromises, createNarrator } from './timeline.ts';
import { invitation, witnessLine } from './try-it.ts';

/** Plays the demo, prints it as the flags say and gives the exit code. */
export async function play(flags: Flags, signal: AbortSignal): Promise<number> {
  logToStderr(flags.verbose ? LogLevel.DEBUG : LogLevel.ERROR);
  const print = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  const colour = process.stdout.isTTY === true && !process.env.NO_COLOR;
  const narrator = flags.json ? undefined : createNarrator(print, colour);
  const tokens: string[] = [];
  let served = false;
  const options: DemoOptions = {
    signal,
    onToken: (token) => tokens.push(token),
    onRequest: (request) => {
      if (served && request.tool !== undefined) print(witnessLine(request));
    },
    async onPlayed(world, results) {
      narrator?.outro(results);
      if (!flags.serve) return;
      served = true;
      for (const line of invitation(world)) print(line);
      if (!signal.aborted) await once(signal, 'abort');
    },
  };
  if (narrator) options.onRun = narrator.run;
  if (flags.verbose) options.onWarning = (warning) => process.stderr.write(`[warning] ${warning}\n`);

  narrator?.intro();
  let results: RunResult[];
  try {
    results = await runDemo(options);
  } finally {
    if (flags['tokens-file']) writeFileSync(flags['tokens-file'], JSON.stringify(tokens), { mode: 0o600 });
  }

  const ok = results.every(({ kept }) => kept);
  if (flags.json) print(JSON.stringify({ ok, runs: results.map(({ seen }) => seen.report) }));
  for (const line of brokenPromises(results)) process.stderr.write(`not as promised: ${line}\n`);
  return ok ? 0 : 1;
}
