import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';
import { type KubeProcess, startKubeProcess } from '../../support/kube-process.ts';

const CLI = fileURLToPath(new URL('../../../../dist/cli/main.js', import.meta.url));
const AGENT_IMAGE = 'registry.example/onbehalf/agent:test';

/** `onbehalf controller` as a process. */
export interface ControllerProcess extends KubeProcess {
  /** All that it has printed. */
  log(): Promise<string>;
  /** What its `/metrics` says, by name and labels without the prefix: `queue_keys{state="waiting"}`. */
  metrics(): Promise<Readonly<Record<string, number>>>;
  leads(): Promise<boolean>;
}

export interface ControllerProcessOptions {
  /** Path of the kubeconfig that it works with. */
  readonly kubeconfig: string;
  /** Default: with leader election. */
  readonly args?: readonly string[] | undefined;
}

const START = { timeout: 30_000, interval: 50 };
const PREFIX = 'onbehalf_controller_';

/** Starts the controller of `dist/`, which `npm run interop:kubernetes` builds; resolves when it has read all objects. */
export async function startController(options: ControllerProcessOptions): Promise<ControllerProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'onbehalf-controller-'));
  const file = join(folder, 'log');
  const command = [
    ...[process.execPath, CLI, 'controller', '--json', '--agent-image', AGENT_IMAGE],
    ...['--health-port', '0', '--metrics-port', '0', '--kubeconfig', options.kubeconfig],
    ...(options.args ?? []),
  ];
  // Its output is kept in a file, which says also what it printed last.
  const kept = await startKubeProcess(['sh', '-c', 'echo started; exec "$@" >"$0" 2>&1', file, ...command], {
    ready: /started/,
    pidFile: join(folder, 'pid'),
  });
  let last: string | undefined;
  const log = async (): Promise<string> => last ?? (await readFile(file, 'utf8').catch(() => ''));
  let ended: Promise<void> | undefined;
  const end: KubeProcess['end'] = (how) => {
    ended ??= (async () => {
      await kept.end(how);
      last = await log();
      await rm(folder, { recursive: true, force: true });
    })();
    return ended;
  };
  // Not expect.poll, which is for tests: this is called by their hooks, too.
  await vi.waitFor(async () => expect(await log()).toMatch(/"event":"synced"/), START);
  const port = /"metrics_port":(\d+)/.exec(await log())?.[1];
  const metrics = async (): Promise<Readonly<Record<string, number>>> => {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    const lines = (await answer.text()).split('\n').filter((line) => line.startsWith(PREFIX));
    return Object.fromEntries(
      lines.map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(PREFIX.length, at), Number(line.slice(at))];
      }),
    );
  };
  return {
    ...kept,
    end,
    log,
    metrics,
    leads: async () => (await metrics()).leading === 1,
  };
}
