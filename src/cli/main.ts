#!/usr/bin/env node
import { text as textOf } from 'node:stream/consumers';
import type { CliIo } from './io.ts';
import { run } from './run.ts';

const io: CliIo = {
  out: (text) => {
    process.stdout.write(text);
  },
  err: (text) => {
    process.stderr.write(text);
  },
  input: () => textOf(process.stdin),
  interrupted: () =>
    new Promise((resolve) => {
      // Once: a second Ctrl-C ends the process the hard way, should closing hang.
      process.once('SIGINT', () => resolve());
      process.once('SIGTERM', () => resolve());
    }),
};

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a pipe has gone ("onbehalf sts --json | head -1", at the next line): nobody reads on.
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await run(process.argv.slice(2), io);
