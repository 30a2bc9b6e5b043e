// @ts-check
/**
 * Keeps a server no longer than the process that wanted it: runs it in a process group of its own, and kills that group
 * when stdin ends, which it does however the parent dies, and at a signal. Then it removes the server's own folder.
 *
 *   node keeper.mjs FOLDER COMMAND [ARGUMENT...]    FOLDER may be empty
 */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import process from 'node:process';

const GRACE_MS = 10_000;

const [folder = '', command = '', ...args] = process.argv.slice(2);
const server = spawn(command, args, { detached: true, stdio: ['ignore', 'inherit', 'inherit'] });

/** @param {NodeJS.Signals} signal */
function kill(signal) {
  try {
    if (server.pid !== undefined) process.kill(-server.pid, signal);
  } catch {
    // It has ended already.
  }
}

/** @param {number} code */
function leave(code) {
  if (folder !== '') rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit(code);
}

function stop() {
  kill('SIGTERM');
  setTimeout(() => kill('SIGKILL'), GRACE_MS).unref();
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, stop);
process.stdin.on('end', stop).on('error', stop).resume();
server.on('error', (error) => {
  console.error(error.message);
  leave(127);
});
server.on('exit', (code) => {
  // What it started itself must not stay behind either.
  kill('SIGKILL');
  leave(code ?? 1);
});
