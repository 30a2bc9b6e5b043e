import { describe, expect, onTestFinished, test } from 'vitest';
import { parseControllerArguments } from '../../src/cli/controller-arguments.ts';
import { metricsText, startHealthServers } from '../../src/cli/controller-health.ts';
import type { ControllerStats } from '../../src/kubernetes/controller/controller.ts';
import { type Ended, ended } from './ended.ts';

const controller = (...argv: readonly string[]): Promise<Ended> => ended(['controller', ...argv]);

const IMAGE = ['--agent-image', 'agent:1'];

describe('the arguments', () => {
  test('are few where the defaults will do', () => {
    expect(parseControllerArguments(IMAGE)).toEqual({
      agentImage: 'agent:1',
      leaderElect: true,
      concurrency: 8,
      healthPort: 8081,
      metricsPort: 8080,
      publishTools: false,
      json: false,
    });
  });

  test('say all there is to say', () => {
    expect(
      parseControllerArguments([
        ...IMAGE,
        ...['--namespace', 'a', '--namespace=b', '--kubeconfig', '/k', '--no-leader-elect'],
        ...[
          '--lease-namespace',
          'c',
          '--concurrency',
          '2',
          '--health-port',
          '0',
          '--metrics-port',
          '1',
          '--json',
        ],
        ...['--publish-tools', '--discovery-issuer', 'https://sts.example'],
        ...['--discovery-client-id', 'controller'],
        ...['--discovery-client-secret-file', '/secret'],
      ]),
    ).toEqual({
      agentImage: 'agent:1',
      namespaces: ['a', 'b'],
      kubeconfig: '/k',
      leaderElect: false,
      leaseNamespace: 'c',
      concurrency: 2,
      healthPort: 0,
      metricsPort: 1,
      publishTools: true,
      discovery: { issuer: 'https://sts.example', clientId: 'controller', clientSecretFile: '/secret' },
      json: true,
    });
  });

  test.each([
    [[], '--agent-image is missing'],
    [['--agent-image', ' '], '--agent-image is missing'],
    [[...IMAGE, '--namespace', 'A/b'], '--namespace must be the name of a namespace, not "A/b"'],
    [[...IMAGE, '--concurrency', '0'], '--concurrency must be a number from 1 to 256, not "0"'],
    [[...IMAGE, '--health-port', 'x'], '--health-port must be a number from 0 to 65535, not "x"'],
    [[...IMAGE, '--publish-tools', '--discovery-issuer', 'https://sts.example'], 'give all three or none'],
    [[...IMAGE, '--discovery-issuer', 'https://sts.example'], '--discovery-* is for --publish-tools'],
    [[...IMAGE, '--what'], "Unknown option '--what'"],
  ])('%j are refused', async (argv, why) => {
    const { code, out, err } = await controller(...argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(why);
    expect(err).toContain('onbehalf controller --help');
  });
});

test('--help says how to begin', async () => {
  const { code, out } = await controller('--help');
  expect(code).toBe(0);
  expect(out).toContain('Usage: onbehalf controller --agent-image IMAGE');
  expect(out).toContain('The STS has to heed RFC 8707');
  for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
});

test('without a kubeconfig that can be read it ends with 1 and says which', async () => {
  const { code, err } = await controller(...IMAGE, '--kubeconfig', '/nowhere/config');
  expect(code).toBe(1);
  expect(err).toContain('/nowhere/config');
});

describe('what is served beside', () => {
  const STATS: ControllerStats = {
    ...{ synced: false, leading: true, objects: 7, dependencies: 9 },
    queue: { waiting: 1, active: 2, delayed: 3, failing: 4 },
    looks: { waiting: 14, active: 15 },
    reconciles: { done: 5, again: 6, waits: 7, failed: 8 },
    writes: { applies: 10, statuses: 11, deletions: 12, events: 13 },
  };

  test('is alive at once, and ready when all objects are read', async () => {
    let stats = STATS;
    const servers = await startHealthServers({ healthPort: 0, metricsPort: 0, stats: () => stats });
    onTestFinished(servers.close);
    const ask = async (path: string, port = servers.healthPort): Promise<string> => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      return `${answer.status} ${await answer.text()}`;
    };
    expect(await ask('/healthz')).toBe('200 ok\n');
    expect(await ask('/readyz')).toBe('503 not all objects are read yet\n');
    stats = { ...STATS, synced: true };
    expect(await ask('/readyz?verbose')).toBe('200 ok\n');
    expect(await ask('/else')).toContain('404 ');
    expect(await ask('/metrics', servers.metricsPort)).toBe(`200 ${metricsText(stats)}`);
  });

  test('can be one port', async () => {
    const first = await startHealthServers({ healthPort: 0, metricsPort: 0, stats: () => STATS });
    const port = first.healthPort;
    await first.close();
    const one = await startHealthServers({ healthPort: port, metricsPort: port, stats: () => STATS });
    onTestFinished(one.close);
    expect([one.healthPort, one.metricsPort]).toEqual([port, port]);
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200);
  });

  test('are metrics that Prometheus reads', () => {
    const lines = metricsText(STATS).split('\n');
    expect(lines).toContain('onbehalf_controller_queue_keys{state="delayed"} 3');
    expect(lines).toContain('onbehalf_controller_looks{state="active"} 15');
    expect(lines).toContain('onbehalf_controller_reconciles_total{outcome="failed"} 8');
    expect(lines).toContain('onbehalf_controller_writes_total{kind="applies"} 10');
    expect(lines).toContain('onbehalf_controller_objects 7');
    expect(lines).toContain('onbehalf_controller_leading 1');
    for (const line of lines.filter(Boolean)) {
      expect(line).toMatch(/^(# (HELP|TYPE) onbehalf_\w+ .+|onbehalf_\w+({\w+="\w+"})? \d+)$/);
    }
  });
});
