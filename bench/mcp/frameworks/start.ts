// Run as it is written by a Node 24, at the root of the repository: puts the bench where the frameworks are found, and runs
// it there. The frameworks, and that place, are those of npm run interop:clients.
import { spawn } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeWorkspace } from '../../../test/interop/clients/workspace.ts';
import { installed } from '../../../test/interop/support/installed.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
/** What some frameworks would else send over the network. */
const QUIET = { MASTRA_TELEMETRY_DISABLED: '1', OPENAI_AGENTS_DISABLE_TRACING: '1' };

const folder = await installed('clients', join(root, 'test/interop/clients'));
const workspace = await makeWorkspace({ folder, node: process.execPath });
try {
  await cp(join(root, 'bench'), join(workspace.folder, 'bench'), { recursive: true });
  process.exitCode = await new Promise<number>((resolve, reject) => {
    const child = spawn(process.execPath, ['bench/mcp/frameworks/main.ts'], {
      ...{ cwd: workspace.folder, env: { ...process.env, ...QUIET }, stdio: 'inherit' },
    });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
} finally {
  await workspace.remove();
}
