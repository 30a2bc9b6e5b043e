// Our agent server as users start it: `onbehalf agent --filepath DIR`, in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AGENT, CLIENT_SECRET, SERVERS, type WorldFacts } from './facts.ts';
import type { Memory } from './memory-probe.ts';

const PROGRAM = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const PROBE = new URL('./memory-probe.js', import.meta.url).href;

export interface Ours {
  readonly url: string;
  /** From the start of the process until it says that it is ready, in milliseconds. */
  readonly readyMs: number;
  /** Its memory now. Garbage is collected for that. */
  readonly memory: () => Promise<Memory>;
  close(): Promise<void>;
}

export async function startOurs({ issuer, servers }: WorldFacts): Promise<Ours> {
  const folder = mkdtempSync(join(tmpdir(), 'onbehalf-bench-'));
  writeFileSync(join(folder, 'agent-card.json'), JSON.stringify({ name: 'bench' }));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(configOf({ issuer, servers })));
  const began = performance.now();
  const args = [PROGRAM, 'agent', '--filepath', folder, '--port', '0', '--json'];
  const child: ChildProcess = spawn(process.execPath, ['--expose-gc', '--import', PROBE, ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  const url = await Promise.race([
    started(child),
    ended.then(([code]) => Promise.reject(new Error(`the agent ended with ${code}`))),
  ]);
  while (!(await isReady(url)));
  return {
    ...{ url, readyMs: performance.now() - began },
    async memory() {
      child.send('memory');
      const [memory] = await once(child, 'message');
      return memory as Memory;
    },
    async close() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configOf({ issuer, servers }: WorldFacts): object {
  const calls = SERVERS.map((name) => ({ calls: [{ name: `${name}_tool`, args: {} }] }));
  return {
    name: 'bench/assistant',
    model: { type: 'scripted', model: 'script', turns: [...calls, { text: 'That is your day.' }] },
    http_tools: servers.map(({ name, url }) => ({ name, params: { url }, sts_audience: name })),
    token_exchange: {
      token_services: {
        sts: {
          ...{ issuer, client_id: AGENT, actor: { source: 'client_credentials' } },
          client_authentication: { method: 'client_secret_basic', client_secret: CLIENT_SECRET },
        },
      },
    },
    authentication: { mode: 'jwt', audience: AGENT, issuers: [{ issuer }] },
  };
}

async function started({ stdout }: ChildProcess): Promise<string> {
  if (!stdout) throw new Error('the agent has no output');
  const lines = createInterface({ input: stdout });
  for await (const line of lines) {
    const { event, url } = JSON.parse(line) as { event: string; url: string };
    if (event === 'start') return url;
  }
  throw new Error('the agent did not start');
}

async function isReady(url: string): Promise<boolean> {
  return (await fetch(`${url}/ready`)).ok;
}
