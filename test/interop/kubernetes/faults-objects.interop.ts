// The controller, as a process with the rights of deploy/, while people break and delete what it works for.
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import {
  agent,
  conditionsOf,
  messageOf,
  modelConfig,
  namespaceOf,
  podAnnotationsOf,
  secret,
  server,
} from './controller-bed.ts';
import { creations } from './support/audit.ts';
import { BAD_AGENTS, badAgent, withoutApprovalRule } from './support/bad-agents.ts';
import type { ControllerProcess } from './support/controller-process.ts';
import { behind, converges } from './support/converged.ts';
import { type Change, type FaultBed, type KindName, startFaultBed } from './support/fault-bed.ts';
import { ground, helper, named, PLANTED, plantedIn, team } from './support/objects.ts';

const available = inject('kube') !== undefined;
const SOON = { timeout: 20_000, interval: 50 };
const ROLE = '/apis/rbac.authorization.k8s.io/v1/clusterroles/onbehalf-controller';
const BINDINGS = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';

describe.skipIf(!available)('the controller, while people work on their objects', () => {
  let bed: FaultBed;
  let controller: ControllerProcess;
  beforeAll(async () => {
    bed = await startFaultBed({ crd: withoutApprovalRule });
    controller = await bed.start('--no-leader-elect');
  }, 60_000);
  afterEach(async () => {
    if (!controller) return;
    expect(await controller.log()).not.toMatch(/TypeError|ReferenceError|RangeError/);
    expect((await controller.metrics())['queue_keys{state="failing"}']).toBe(0);
  });
  afterAll(() => bed?.stop(), 30_000);

  const condition = async (place: string, type: string): Promise<string | undefined> =>
    conditionsOf(await bed.get('Agent', place))[type];

  describe('a header Secret', () => {
    it('that is rotated rolls the pods that mount it, by a change of its labels too, and no others', async () => {
      await team(bed, 'rotated', helper('rotated', 'helper'), agent('rotated', 'other'));
      const hashes = async (): Promise<readonly unknown[]> =>
        Promise.all(
          ['helper', 'other'].map(
            async (name) =>
              podAnnotationsOf(await bed.the('Deployment', `rotated/${name}`))['onbehalf.dev/config-hash'],
          ),
        );
      const changes: Readonly<Record<string, Change>> = {
        value: ({ data }) => Object.assign(data, { token: Buffer.from(`${PLANTED}-2`).toString('base64') }),
        'labels (ADR 9)': ({ metadata }) => Object.assign(metadata, { labels: { rotated: 'yes' } }),
      };
      for (const [what, change] of Object.entries(changes)) {
        const [helperHash, otherHash] = await hashes();
        await bed.edit('Secret', 'rotated/header', change);
        await expect.poll(async () => (await hashes())[0], { ...SOON, message: what }).not.toBe(helperHash);
        await bed.quiet('rotated');
        expect((await hashes())[1]).toBe(otherHash);
        await converges(bed, 'rotated');
      }
      const before = await hashes();
      await bed.edit('Secret', 'rotated/header', () => {});
      await bed.quiet('rotated');
      expect(await hashes()).toEqual(before);
    });
  });

  describe('an Agent that cannot be', () => {
    it('is told why, with the field, by a condition and an event, and never holds up one that can', async () => {
      await bed.put(namespaceOf('bad'), namespaceOf('bare'));
      await bed.put(
        ...ground('bad'),
        server('bad', 'published'),
        server('bare', 'mail', { stsAudience: 'mail' }),
      );
      await bed.put(modelConfig('bare'));
      await bed.edit(
        'RemoteMCPServer',
        'bad/published',
        (object) =>
          Object.assign(object, { status: { ...object.status, discoveredTools: [{ name: 'read' }] } }),
        'status',
      );
      const bad = Object.entries(BAD_AGENTS);
      await bed.put(
        ...bad.map(([reason, one]) => badAgent(reason, one)),
        ...named(5).map((name) => helper('bad', name)),
      );
      for (const [reason, { type, field, namespace = 'bad' }] of bad) {
        const place = `${namespace}/${reason.toLowerCase()}`;
        await expect.poll(() => condition(place, type), { ...SOON, message: place }).toBe(`False ${reason}`);
        const found = await bed.the('Agent', place);
        expect(messageOf(found, type)).toContain(`Agent ${place}, ${field}: `);
        expect(conditionsOf(found).Ready).toMatch(/^False (NotAccepted|UnresolvedRefs)$/);
        const told = async (): Promise<boolean> =>
          (await bed.list('Event', namespace)).some(
            ({ reason: its, note }) => its === reason && String(note).includes(`Agent ${place}, ${field}: `),
          );
        await expect.poll(told, SOON).toBe(true);
        expect(await bed.get('Deployment', place)).toBeUndefined();
      }
      const isGood = (text: string): boolean => text.startsWith('agent-');
      await expect.poll(async () => (await behind(bed, 'bad')).filter(isGood), SOON).toEqual([]);
      await bed.quiet('bad');
      await bed.put(...named(5).map((name) => helper('bad', name, 'Help otherwise.')));
      await expect.poll(async () => (await behind(bed, 'bad')).filter(isGood), SOON).toEqual([]);
    });
  });

  describe('rights that are taken away', () => {
    it('show as the condition Forbidden of whom they are missing, and heal without a restart', async () => {
      await team(bed, 'rights', helper('rights', 'helper'), helper('rights', 'other'));
      const { body: role } = await bed.plane.api('GET', ROLE);
      const rules = structuredClone(role.rules) as { resources: string[]; verbs: string[] }[];
      for (const rule of rules) {
        if (rule.resources.includes('deployments')) rule.verbs = ['get', 'list', 'watch'];
      }
      await bed.plane.api('PATCH', ROLE, { body: { rules } });
      await bed.edit('Agent', 'rights/helper', ({ spec }) => {
        spec.declarative.deployment.replicas = 3;
      });
      await expect.poll(() => condition('rights/helper', 'Ready'), SOON).toBe('False Forbidden');
      const message = messageOf(await bed.get('Agent', 'rights/helper'), 'Ready');
      expect(message).toMatch(/cannot patch resource "deployments"/);
      expect(message).toMatch(/deploy\/rbac/);
      const [event] = (await bed.list('Event', 'rights')).filter(({ reason }) => reason === 'Forbidden');
      expect(event).toMatchObject({ type: 'Warning', regarding: { kind: 'Agent', name: 'helper' } });
      expect(await condition('rights/other', 'Ready')).toBe('False Progressing');
      await bed.plane.api('PATCH', ROLE, { body: { rules: role.rules } });
      await converges(bed, 'rights');
      await expect.poll(() => condition('rights/helper', 'Ready'), SOON).toBe('False Progressing');
      await bed.quiet('rights');
    }, 60_000);

    it('that were all of them are waited for, also by watches that have to begin anew', async () => {
      await team(bed, 'nothing', ...named(5).map((name) => helper('nothing', name)));
      const { body: binding } = await bed.plane.api('GET', `${BINDINGS}/onbehalf-controller`);
      await bed.plane.api('DELETE', `${BINDINGS}/onbehalf-controller`);
      await bed.put(...named(5).map((name) => helper('nothing', name, 'Help otherwise.')));
      await expect.poll(controller.log, SOON).toMatch(/"place":"reconcile[^\n]*forbidden/);
      await bed.plane.restartApiServer();
      await expect.poll(controller.log, SOON).toMatch(/"place":"watch[^\n]*forbidden/);
      await bed.put(...named(5).map((name) => helper('nothing', name, 'Help again.')));
      const { name } = binding.metadata;
      const again = { ...binding, metadata: { name } };
      expect((await bed.plane.api('POST', BINDINGS, { body: again })).status).toBe(201);
      await converges(bed, 'nothing', 60_000);
      await bed.quiet('nothing');
    }, 120_000);
  });

  describe('an Agent that is deleted', () => {
    const children = async (namespace: string): Promise<readonly string[]> => {
      const kinds = [
        'Deployment',
        'Secret',
        'Service',
        'ServiceAccount',
      ] as const satisfies readonly KindName[];
      const lists = await Promise.all(kinds.map((kind) => bed.list(kind, namespace)));
      return lists
        .flat()
        .flatMap(({ kind, metadata }) => (metadata.ownerReferences ? [`${kind} ${metadata.name}`] : []));
    };

    it.each(['Background', 'Foreground'])('takes its children with it (%s)', async (policy) => {
      const namespace = `gone-${policy.toLowerCase()}`;
      await team(bed, namespace, helper(namespace, 'helper'));
      expect(await children(namespace)).toHaveLength(4);
      // With foreground deletion, the Agent stays as long as one of them does.
      const keep = (finalizers: readonly string[]): Promise<void> =>
        bed.edit('Secret', `${namespace}/helper`, ({ metadata }) => Object.assign(metadata, { finalizers }));
      await keep(['example.com/keep']);
      const path = `/apis/onbehalf.dev/v1alpha1/namespaces/${namespace}/agents/helper`;
      expect((await bed.plane.api('DELETE', `${path}?propagationPolicy=${policy}`)).status).toBe(200);
      await expect.poll(() => children(namespace), SOON).toHaveLength(1);
      await bed.quiet(namespace);
      expect(await children(namespace)).toHaveLength(1);
      expect((await bed.get('Agent', `${namespace}/helper`)) !== undefined).toBe(policy === 'Foreground');
      await keep([]);
      await expect.poll(() => children(namespace), SOON).toEqual([]);
      await expect.poll(() => bed.get('Agent', `${namespace}/helper`), SOON).toBeUndefined();
      await bed.quiet(namespace);
      expect(await children(namespace)).toEqual([]);
      // None was made again on the way.
      expect([...creations(await bed.writes(namespace)).values()]).toEqual([1, 1, 1, 1]);
    });

    it('and made again at once has children of its own in the end', async () => {
      const names = named(8);
      await team(bed, 'reborn', ...names.map((name) => helper('reborn', name)));
      const before = new Set((await bed.list('Deployment', 'reborn')).map(({ metadata }) => metadata.uid));
      for (const round of [1, 2, 3]) {
        for (const name of names) {
          await bed.delete('Agent', `reborn/${name}`);
          await bed.put(helper('reborn', name, `Help in round ${round}.`));
        }
      }
      await converges(bed, 'reborn');
      await bed.quiet('reborn');
      expect(await behind(bed, 'reborn')).toEqual([]);
      for (const { metadata } of await bed.list('Deployment', 'reborn'))
        expect(before.has(metadata.uid)).toBe(false);
    });
  });

  describe('a namespace that is deleted in the midst of it', () => {
    it('is left in peace: few writes are tried there, and none is left to do', async () => {
      const names = named(15);
      await bed.put(namespaceOf('ending'));
      await bed.put(...ground('ending'));
      const putting = bed.put(...names.map((name) => helper('ending', name)));
      await expect
        .poll(async () => (await bed.writes('ending')).length, { timeout: 10_000, interval: 5 })
        .toBeGreaterThan(10);
      await putting.catch(() => {});
      await bed.delete('Namespace', 'ending');
      await expect
        .poll(() => bed.get('Namespace', 'ending'), { timeout: 40_000, interval: 100 })
        .toBeUndefined();
      await bed.quiet('ending');
      const refused = (await bed.writes('ending')).filter(({ code }) => code >= 300);
      // Each Agent is tried again a few times, later each time.
      expect(refused.length).toBeLessThan(names.length * 15);
      await expect
        .poll(async () => {
          const { 'queue_keys{state="waiting"}': waiting, 'queue_keys{state="failing"}': failing } =
            await controller.metrics();
          return [waiting, failing];
        }, SOON)
        .toEqual([0, 0]);
    }, 60_000);
  });

  it('no value of a Secret has come to any status, event, child or line of the log', async () => {
    await bed.put(namespaceOf('planted'));
    // An Agent cannot have its name.
    await bed.put(
      ...ground('planted'),
      secret('planted', 'taken', { token: PLANTED }),
      helper('planted', 'taken'),
    );
    await expect.poll(() => condition('planted/taken', 'Ready'), SOON).toBe('False NameTaken');
    const ours: KubeObject[] = [];
    for (const kind of [
      'Agent',
      'ModelConfig',
      'RemoteMCPServer',
      'TokenService',
      'Event',
      'Deployment',
      'Service',
      'ConfigMap',
    ] as const)
      ours.push(...(await bed.list(kind)));
    const isChild = ({ metadata }: KubeObject): boolean =>
      metadata.labels?.['app.kubernetes.io/managed-by'] === 'onbehalf';
    ours.push(...(await bed.list('Secret')).filter(isChild));
    expect(ours.length).toBeGreaterThan(8);
    expect(ours.filter(plantedIn).map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([]);
    expect(plantedIn(await controller.log())).toBe(false);
    // It would be seen.
    expect(plantedIn(await bed.the('Secret', 'planted/header'))).toBe(true);
  });
});
