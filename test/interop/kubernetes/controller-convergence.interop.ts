// However the objects came to be as they are, the controller makes the same of them on a real API server, and then leaves them alone.
import { setTimeout as wait } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import {
  agent,
  type Bed,
  conditionsOf,
  fileOf,
  mcpTool,
  messageOf,
  modelConfig,
  type RunningController,
  secret,
  server,
  startBed,
  tokenService,
} from './controller-bed.ts';
import { remaining, step, take } from './walk.ts';

const available = inject('kube') !== undefined;
const KINDS = [
  ...['Agent', 'RemoteMCPServer', 'ModelConfig', 'TokenService'],
  ...['ServiceAccount', 'Secret', 'Service', 'Deployment', 'Event'],
] as const;
const NO_WRITES = { applies: 0, statuses: 0, deletions: 0, events: 0 };
const SEED = 20_261_123;

describe.skipIf(!available)('the controller', () => {
  let bed: Bed;
  const running = new Set<RunningController>();
  beforeAll(async () => {
    bed = await startBed();
  }, 60_000);
  afterEach(async () => {
    for (const one of running) await one.stop();
    running.clear();
  });
  afterAll(() => bed?.stop(), 30_000);

  async function start(...options: Parameters<Bed['controller']>): Promise<RunningController> {
    const controller = await bed.controller(...options);
    running.add(controller);
    return controller;
  }

  /** All that there is in a namespace. */
  async function everything(namespace: string): Promise<readonly KubeObject[]> {
    const lists = await Promise.all(KINDS.map((kind) => bed.list(kind as 'Agent', namespace)));
    return lists.flat();
  }

  test('comes to the same by many changes in any order as at once', { timeout: 180_000 }, async () => {
    const controller = await start();
    const walks = [1, 2, 3, 4, 5].map((number) => ({
      namespace: `walk-${number}`,
      fresh: `fresh-${number}`,
      steps: fc.sample(step, { numRuns: 40, seed: SEED + number }),
    }));
    const walk = async ({ namespace, steps }: (typeof walks)[number]): Promise<void> => {
      await bed.team(namespace);
      for (const [index, one] of steps.entries()) {
        await take(bed, namespace, one);
        // Some changes meet a controller that is busy, others one that has come to rest.
        if (index % 13 === 12) await controller.idle();
      }
    };
    await Promise.all(walks.map(walk));
    await Promise.all(walks.map(({ namespace }) => settles(namespace)));
    await Promise.all(walks.map(({ fresh, steps }) => bed.team(fresh, ...remaining(fresh, steps))));
    // Some have no TokenService any more.
    for (const { fresh, namespace } of walks) {
      const service = await bed.get('TokenService', `${namespace}/default`);
      if (service === undefined) await bed.delete('TokenService', `${fresh}/default`);
    }
    await Promise.all(walks.map(({ fresh }) => settles(fresh)));
    for (const { namespace, fresh } of walks) {
      expect(await result(namespace)).toEqual(await result(fresh));
      expect(Object.keys(await result(fresh)).length).toBeGreaterThan(1);
    }
  });

  /** The garbage collector takes its time. */
  async function settles(namespace: string): Promise<void> {
    const owned = async (): Promise<number> => {
      const uids = new Set((await bed.list('Agent', namespace)).map(({ metadata }) => metadata.uid));
      const children = (await everything(namespace)).filter(({ metadata }) => metadata.ownerReferences);
      return children.filter(({ metadata }) => !uids.has(metadata.ownerReferences?.[0]?.uid)).length;
    };
    await expect.poll(owned, { timeout: 30_000, interval: 200 }).toBe(0);
    for (const one of running) await one.idle();
  }

  /** What has come of a namespace, by what is to be the same in every namespace. */
  async function result(namespace: string): Promise<Readonly<Record<string, unknown>>> {
    const found: Record<string, unknown> = {};
    for (const one of await bed.list('Agent', namespace)) {
      const { name } = one.metadata;
      const conditions = conditionsOf(one);
      found[`Agent ${name}`] = [conditions, (one.status as { targets?: unknown }).targets];
      // The children of an agent that has become wrong stay; one that always was has none.
      if (conditions.ResolvedRefs !== 'True ResolvedRefs') continue;
      for (const kind of ['ServiceAccount', 'Secret', 'Service', 'Deployment'] as const) {
        const child = await bed.get(kind, `${namespace}/${name}`);
        found[`${kind} ${name}`] =
          kind === 'Secret' ? fileOf(child, 'config.json') : child && [child.metadata.labels, child.spec];
      }
    }
    for (const kind of ['RemoteMCPServer', 'TokenService', 'ModelConfig'] as const) {
      for (const one of await bed.list(kind, namespace))
        found[`${kind} ${one.metadata.name}`] = conditionsOf(one);
    }
    const text = JSON.stringify(found, (name, value) =>
      // Of this namespace's own: addresses, and digests over the versions of Secrets.
      ['clusterIP', 'clusterIPs', 'onbehalf.dev/config-hash'].includes(name) ? undefined : value,
    );
    return JSON.parse(text.replaceAll(`${namespace}/`, 'NAMESPACE/'));
  }

  describe('in a steady state', () => {
    const servers = ['a', 'b', 'c'] as const;
    const agents = servers.flatMap((one) =>
      [1, 2].map((number) => ({ name: `${one}-${number}`, uses: one })),
    );
    beforeAll(async () => {
      await bed.team('steady', secret('steady', 'key', { token: 'not-a-real-token' }));
      const headersFrom = [{ name: 'X-Key', valueFrom: { type: 'Secret', name: 'key', key: 'token' } }];
      await bed.put(...servers.map((one) => server('steady', one, { stsAudience: one, headersFrom })));
      const resources = { limits: { cpu: '0.5', memory: '1024Mi' }, requests: { cpu: '1e-1' } };
      const deployment = { resources, env: [{ name: 'EMPTY', value: '' }] };
      await bed.put(
        ...agents.map(({ name, uses }) => agent('steady', name, { tools: [mcpTool(uses)], deployment })),
      );
      const controller = await start();
      await controller.idle();
      await controller.stop();
    });

    /** By object, its version: any write that changes something changes it. */
    async function versions(): Promise<Readonly<Record<string, unknown>>> {
      const objects = await everything('steady');
      return Object.fromEntries(
        objects.map(({ kind, metadata }) => [`${kind} ${metadata.name}`, metadata.resourceVersion]),
      );
    }

    /** Server-side applies that the API server has got, from whomever. */
    async function applies(): Promise<number> {
      const { body } = await bed.plane.api('GET', '/metrics');
      const lines = String(body)
        .split('\n')
        .filter((line) => line.startsWith('apiserver_request_total') && line.includes('verb="APPLY"'));
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    }

    test('a controller that is started anew writes nothing', async () => {
      const [before, sent] = [await versions(), await applies()];
      expect(Object.keys(before).length).toBeGreaterThan(agents.length * 5);
      expect(sent).toBeGreaterThan(agents.length * 5);
      const controller = await start();
      await controller.idle();
      expect(controller.reconciled.length).toBeGreaterThanOrEqual(agents.length + servers.length);
      expect(controller.stats().writes).toEqual(NO_WRITES);
      expect(await applies()).toBe(sent);
      expect(await versions()).toEqual(before);
    });

    test('nothing is written, and nothing looked at, while nothing changes', async () => {
      const controller = await start();
      await controller.idle();
      const looked = controller.reconciled.length;
      const before = await versions();
      await wait(3_000);
      expect(controller.reconciled.length).toBe(looked);
      expect(controller.stats().writes).toEqual(NO_WRITES);
      expect(await versions()).toEqual(before);
    });

    test('a look at each object writes nothing', async () => {
      const controller = await start();
      await controller.idle();
      const looked = controller.reconciled.length;
      const touch = async (...what: readonly string[]): Promise<void> => {
        const args = ['annotate', ...what, '--namespace=steady', 'example.com/touched=yes'];
        expect(await bed.plane.kubectl(args)).toMatchObject({ code: 0 });
      };
      await touch('agents.onbehalf.dev,remotemcpservers.onbehalf.dev', '--all');
      await touch('deployments,secrets,services', '--selector=onbehalf.dev/agent');
      await controller.idle();
      expect(controller.reconciled.length).toBeGreaterThanOrEqual(looked + agents.length);
      expect(controller.stats().writes).toEqual(NO_WRITES);
    });

    test('a change of a server is looked at for its dependents alone', async () => {
      const controller = await start();
      await controller.idle();
      const looked = controller.reconciled.length;
      const headersFrom = [{ name: 'X-Key', valueFrom: { type: 'Secret', name: 'key', key: 'token' } }];
      await bed.put(server('steady', 'a', { stsAudience: 'another', headersFrom }));
      await controller.idle();
      const keys = new Set(controller.reconciled.slice(looked).map(({ key }) => `${key.kind} ${key.name}`));
      expect([...keys].sort()).toEqual(['Agent a-1', 'Agent a-2', 'RemoteMCPServer a']);
      // Each: Secret, Deployment, status; and the status of the server, whose generation is another.
      expect(controller.stats().writes).toEqual({ ...NO_WRITES, applies: 4, statuses: 3 });
    });
  });

  test('a bad agent never blocks a good one, and is well as soon as it is put right', async () => {
    await bed.team('bad');
    const label = { deployment: { labels: { 'not a label': 'x' } } };
    await bed.put(
      agent('bad', 'refused', label),
      agent('bad', 'lost', { tools: [mcpTool('nowhere')] }),
      agent('bad', 'modelless', { modelConfig: 'none' }),
      agent('bad', 'good'),
    );
    const controller = await start();
    await controller.idle();
    const ready = async (name: string): Promise<string | undefined> =>
      conditionsOf(await bed.get('Agent', `bad/${name}`)).Ready;
    expect(await bed.get('Deployment', 'bad/good')).toBeDefined();
    expect(await ready('good')).toBe('False Progressing');
    expect(await ready('refused')).toBe('False Rejected');
    expect(await ready('lost')).toBe('False UnresolvedRefs');
    expect(await ready('modelless')).toBe('False UnresolvedRefs');
    expect(messageOf(await bed.get('Agent', 'bad/refused'), 'Ready')).toContain('not a label');
    expect(messageOf(await bed.get('Agent', 'bad/lost'), 'ResolvedRefs')).toContain(
      'spec.declarative.tools[0].mcpServer',
    );
    await bed.put(agent('bad', 'refused'), server('bad', 'nowhere'), modelConfig('bad', {}, 'none'));
    await controller.idle();
    for (const name of ['refused', 'lost', 'modelless']) {
      expect([name, await ready(name)]).toEqual([name, 'False Progressing']);
      expect(await bed.get('Deployment', `bad/${name}`)).toBeDefined();
    }
    // Each problem, and that it is over: once. The API server has events of its own, of the Service, say.
    const events = (await bed.list('Event', 'bad')).filter(
      ({ regarding }) => (regarding as { kind: string }).kind === 'Agent',
    );
    const told = events.map(({ type, reason, regarding }) => [
      (regarding as { name: string }).name,
      `${type} ${reason}`,
    ]);
    expect(told.sort()).toEqual([
      ['lost', 'Normal ResolvedRefs'],
      ['lost', 'Warning NotFound'],
      ['modelless', 'Normal ResolvedRefs'],
      ['modelless', 'Warning NotFound'],
      ['refused', 'Warning Rejected'],
    ]);
  });

  test('no value of a Secret is in any status, event, config, Deployment or failure', async () => {
    const canary = 'canary-not-a-real-secret';
    const from = (key: string) => ({ type: 'Secret', name: 'keys', key });
    const headersFrom = [{ name: 'X-Key', valueFrom: from('header') }];
    await bed.team(
      'canary',
      secret('canary', 'keys', {
        header: `${canary}-1`,
        sts: `${canary}-2`,
        model: `${canary}-3`,
        text: `${canary}-4`,
      }),
      tokenService('canary', {
        clientAuthentication: {
          method: 'client_secret_post',
          clientSecretRef: { name: 'keys', key: 'sts' },
        },
      }),
      modelConfig('canary', {
        ...{ provider: 'OpenAI', model: 'm', turns: undefined },
        ...{ apiKeySecret: 'keys', apiKeySecretKey: 'model' },
      }),
      server('canary', 'mail', { stsAudience: 'mail', headersFrom }),
      agent('canary', 'helper', {
        tools: [mcpTool('mail')],
        systemMessage: undefined,
        systemMessageFrom: from('text'),
        deployment: { env: [{ name: 'K', valueFrom: { secretKeyRef: { name: 'keys', key: 'model' } } }] },
      }),
      agent('canary', 'lacking', {
        tools: [mcpTool('mail', {}, { headersFrom: [{ name: 'X', valueFrom: from('none') }] })],
      }),
    );
    const controller = await start();
    await controller.idle();
    expect(conditionsOf(await bed.get('Agent', 'canary/helper')).ResolvedRefs).toBe('True ResolvedRefs');
    expect(conditionsOf(await bed.get('Agent', 'canary/lacking')).ResolvedRefs).toBe('False KeyNotFound');
    const objects = (await everything('canary')).filter(({ metadata }) => metadata.name !== 'keys');
    const decoded = objects.map(({ kind, data }) =>
      kind === 'Secret'
        ? Object.values(data as Record<string, string>).map((value) =>
            Buffer.from(value, 'base64').toString(),
          )
        : [],
    );
    const seen = JSON.stringify([objects, decoded, controller.failures, controller.reconciled]);
    expect(seen).toContain('client_secret_post');
    expect(seen).not.toContain(canary);
    expect(seen).not.toContain(Buffer.from(canary).toString('base64').slice(0, 20));
  });

  test('where it looks at one namespace, it leaves the others alone', async () => {
    await bed.team('inside', agent('inside', 'helper'));
    await bed.team('outside', agent('outside', 'helper'));
    const controller = await start({ namespaces: ['inside'] });
    await controller.idle();
    expect(await bed.get('Deployment', 'inside/helper')).toBeDefined();
    expect(await bed.get('Deployment', 'outside/helper')).toBeUndefined();
    expect(new Set(controller.reconciled.map(({ key }) => key.namespace))).toEqual(new Set(['inside']));
  });
});
