import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import type { Agent } from '../../../src/kubernetes/api/agent.ts';
import { compileAgent } from '../../../src/kubernetes/compile/compile-agent.ts';
import { lookUpOf } from '../../../src/kubernetes/look-up.ts';
import { valuesOf } from '../../deploy/dockerfile.ts';
import { MANIFESTS, manifestOf, ROOT } from '../../deploy/manifests.ts';
import { type ControlPlane, startControlPlane } from '../support/kube-control-plane.ts';

const programs = inject('kube');

/** Runs a command line of the Dockerfile. @throws Error with what it said, where it fails */
async function sh(command: string, cwd: string): Promise<void> {
  const child = spawn('sh', ['-c', command], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const [[code], ...output] = await Promise.all([
    once(child, 'close'),
    text(child.stdout),
    text(child.stderr),
  ]);
  if (code !== 0) throw new Error(`${command}: ${code}\n${output.join('')}`);
}

// Nobody here has docker. What the Dockerfile says is done without it: the same files, commands and packages.
describe.skipIf(programs === undefined)('the images, put together without docker', () => {
  let scratch: string;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'onbehalf-image-'));
    // With the packages that are installed here: `npm ci` would bring the same.
    const compile = valuesOf('build', 'RUN').find((command) => command.includes('tsc')) ?? '';
    await sh(compile.replace(/ dist$/, ` ${join(scratch, 'dist')}`), ROOT);
  }, 120_000);
  afterAll(() => rm(scratch, { recursive: true, force: true }));

  /** What a stage takes from here. */
  async function copy(stage: string, into: string): Promise<void> {
    for (const value of valuesOf(stage, 'COPY').filter((one) => !one.startsWith('--from='))) {
      const sources = value.split(' ');
      const folder = join(into, sources.pop() ?? '');
      await mkdir(folder, { recursive: true });
      for (const source of sources)
        await cp(join(ROOT, source), join(folder, basename(source)), { recursive: true });
    }
  }

  /** The folder /app of an image. */
  async function appOf(image: string): Promise<string> {
    const packages = join(scratch, `${image}-packages`);
    await copy(`${image}-packages`, packages);
    for (const command of valuesOf(`${image}-packages`, 'RUN')) await sh(command, packages);
    const app = join(scratch, image);
    await copy(image, app);
    await cp(join(scratch, 'dist'), join(app, 'dist'), { recursive: true });
    await rename(join(packages, 'node_modules'), join(app, 'node_modules'));
    return app;
  }

  /** Starts what the ENTRYPOINT of an image says, with the arguments of a pod, and nothing of this machine's environment. */
  function start(image: string, app: string, args: readonly string[]): ChildProcess {
    const [, main = '', ...fixed] = JSON.parse(valuesOf(image, 'ENTRYPOINT')[0] ?? '') as readonly string[];
    const child = spawn(process.execPath, [main.replace(/^\/app\//, `${app}/`), ...fixed, ...args], {
      cwd: '/',
      env: { NODE_ENV: 'production' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    return child;
  }

  it('the one of the agent serves an agent of the samples, with the arguments of the pod contract', async () => {
    const app = await appOf('agent');
    const agent = manifestOf('Agent', 'assistant') as unknown as Agent;
    const { compiled } = compileAgent(agent, lookUpOf(MANIFESTS));
    const folder = join(scratch, 'config');
    await mkdir(folder);
    await writeFile(join(folder, 'config.json'), JSON.stringify(compiled?.config));
    await writeFile(join(folder, 'agent-card.json'), JSON.stringify(compiled?.card));
    const child = start('agent', app, ['--host', '127.0.0.1', '--port', '0', '--filepath', folder, '--json']);
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    // No line at all: it has ended.
    const { value: first = '{}' } = await lines[Symbol.asyncIterator]().next();
    const { card_url } = JSON.parse(first);
    expect(await (await fetch(card_url)).json()).toMatchObject({
      name: expect.stringContaining('assistant'),
    });
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
  }, 300_000);

  describe('the one of the controller', () => {
    let plane: ControlPlane;
    let app: string;
    beforeAll(async () => {
      [plane, app] = await Promise.all([startControlPlane(), appOf('controller')]);
      await kubectl('apply', '--server-side', '-k', join(ROOT, 'deploy/crds'));
      await kubectl('wait', '--for=condition=Established', '--timeout=20s', 'crd', '--all');
      await kubectl('apply', '-k', join(ROOT, 'deploy/samples/demo'));
      const secret = ['secret', 'generic', 'sts-client', '--from-literal=client-secret=not-a-real-secret'];
      await kubectl('-n', 'onbehalf-demo', 'create', ...secret);
    }, 300_000);
    afterAll(() => plane?.stop());

    async function kubectl(...args: readonly string[]): Promise<string> {
      const { code, stdout, stderr } = await plane.kubectl(args);
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
      return stdout;
    }

    it.each(['namespaced', 'cluster'])(
      'works with the arguments and the rights of the overlay %s',
      async (overlay) => {
        await kubectl('apply', '-k', join(ROOT, 'deploy/overlays', overlay));
        const account = { namespace: 'onbehalf-system', serviceAccount: 'onbehalf-controller' };
        const { path } = await plane.kubeconfigFor(account);
        const pod = ['-n', account.namespace, 'get', 'deployment', 'onbehalf-controller', '-o'];
        const [{ args, env }] = JSON.parse(
          await kubectl(...pod, 'jsonpath={.spec.template.spec.containers}'),
        );
        const given = (args as readonly string[]).map((one) =>
          one.replace(`$(${env[0].name})`, env[0].value),
        );
        const child = start('controller', app, [
          ...given,
          '--kubeconfig',
          path,
          '--health-port=0',
          '--metrics-port=0',
        ]);
        const output = text(child.stdout as NodeJS.ReadableStream);

        const demo = (...more: readonly string[]): Promise<string> => kubectl('-n', 'onbehalf-demo', ...more);
        await demo('wait', '--for=create', '--timeout=30s', 'deployment/assistant');
        await demo('wait', '--for=condition=ResolvedRefs', '--timeout=30s', 'agent.onbehalf.dev/assistant');
        const audiences = 'jsonpath={.status.targets[*].audiences}';
        expect(await demo('get', 'agent.onbehalf.dev', 'assistant', '-o', audiences)).toBe(
          '["calendar"] ["mail-eu"]',
        );
        const image = 'jsonpath={.spec.template.spec.containers[0].image}';
        expect(await demo('get', 'deployment', 'assistant', '-o', image)).toBe(env[0].value);

        child.kill('SIGTERM');
        expect(await once(child, 'close')).toEqual([0, null]);
        const events = (await output)
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line));
        expect(events.filter(({ event }) => event === 'error')).toEqual([]);
        const told = events.map(({ event }) => event);
        expect(told).toEqual(expect.arrayContaining(['start', 'synced', 'leading', 'reconciled', 'stop']));
        // So that the next one has it all to do, with its own rights.
        await kubectl('delete', '-k', join(ROOT, 'deploy/overlays', overlay));
        await demo('delete', 'deployment,service,secret,serviceaccount', 'assistant');
        await demo('delete', 'agent.onbehalf.dev', 'assistant');
        await kubectl('apply', '-k', join(ROOT, 'deploy/samples/demo'));
      },
      120_000,
    );
  });
});
