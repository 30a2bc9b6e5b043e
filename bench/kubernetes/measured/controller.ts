// The controller as a process of its own, as its own service account.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const POLL_MS = 100;
/** Nothing to do for so long: it is done. */
const QUIET_MS = 1000;
const LONGEST_MS = 300_000;

export interface MeasuredController {
  /** Waits until it has had nothing to do for a second; gives when it did something last, milliseconds since 1970. */
  idle(): Promise<number>;
  /** A sample of its metrics, e.g. `reconciles_total{outcome="done"}`, or the sum of those that begin so. */
  metric(name: string): Promise<number>;
  /** The most memory that it had, in bytes. */
  peakMemory(): Promise<number>;
  stop(): Promise<void>;
}

export async function startController(kubeconfig: string): Promise<MeasuredController> {
  const args = ['controller', '--kubeconfig', kubeconfig, '--agent-image', 'onbehalf/agent:bench', '--json'];
  const ports = ['--health-port', '0', '--metrics-port', '0'];
  // stderr is the bench's own; a bench that is killed takes it along by the broken pipe.
  const child = spawn(process.env.BENCH_NODE ?? process.execPath, [CLI, ...args, ...ports], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let lastWork = Date.now();
  let leading = false;
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the controller ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = JSON.parse(line) as { event: string; metrics_port?: number };
      if (event.event === 'start') resolve(event.metrics_port as number);
      if (event.event === 'leading') leading = true;
      if (event.event === 'reconciled') lastWork = Date.now();
    });
  });
  const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return {
    async idle() {
      const end = Date.now() + LONGEST_MS;
      const begin = Date.now();
      while (Date.now() < end) {
        await wait(POLL_MS);
        const isQuiet = Date.now() - Math.max(lastWork, begin) > QUIET_MS;
        if (leading && isQuiet && sample(await metrics(), 'synced') === 1) return lastWork;
      }
      throw new Error('the controller does not come to rest');
    },
    metric: async (name) => sample(await metrics(), name),
    peakMemory: () => peakOf(child),
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function sample(text: string, name: string): number {
  const lines = text.split('\n').filter((line) => line.startsWith(`onbehalf_controller_${name}`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** Linux tells the high-water mark. */
async function peakOf({ pid }: ChildProcess): Promise<number> {
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
