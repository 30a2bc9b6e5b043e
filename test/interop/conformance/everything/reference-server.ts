import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startKept } from '../../support/kept-server.ts';
import { judges } from '../runner.ts';

const MAIN = 'node_modules/@modelcontextprotocol/server-everything/dist/index.js';

/**
 * Starts the MCP project's reference server, stopped after the test. It asks for no token and tells its environment, so
 * it listens on a socket file, where nobody is but our proxy.
 */
export async function startReferenceServer(): Promise<string> {
  const { folder, node } = judges();
  const work = await mkdtemp(join(tmpdir(), 'onbehalf-everything-'));
  const socketPath = join(work, 'server.sock');
  const server = await startKept([node, join(folder, MAIN), 'streamableHttp'], {
    ready: /listening on port/,
    env: { PORT: socketPath },
    folder: work,
    startMs: 20_000,
  });
  onTestFinished(() => server.stop());
  return socketPath;
}
