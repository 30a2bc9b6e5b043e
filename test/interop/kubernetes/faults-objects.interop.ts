// The controller, as a process with the rights of deploy/, while people change, break and delete what it works on.
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import { agent, conditionsOf, messageOf, namespaceOf, podAnnotationsOf, secret } from './controller-bed.ts';
import type { ControllerProcess } from './support/controller-process.ts';
import { behind } from './support/converged.ts';
import { type Change, type FaultBed, type KindName, startFaultBed } from './support/fault-bed.ts';
import { HAND_EDITS } from './support/hand-edits.ts';
import { ground, helper, named, PLANTED, plantedIn } from './support/objects.ts';

const available = inject('kube') !== undefined;
const SOON = { timeout: 20_000, interval: 50 };
const ROLE = '/apis/rbac.authorization.k8s.io/v1/clusterroles/onbehalf-controller';
const BINDINGS = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
const BINDING = `${BINDINGS}/onbehalf-controller`;

describe.skipIf(!available)('the controller, while people work on its objects', () => {
  let bed: FaultBed;
  let controller: ControllerProcess;
  beforeAll(async () => {
    bed = await startFaultBed();
    controller = await bed.start('--no-leader-elect');
  }, 60_000);
  afterEach(async () => {
    if (!controller) return;
    expect(await controller.log()).not.toMatch(/TypeError|ReferenceError|RangeError/);
    const { 'queue_keys{state="failing"}': failing } = await controller.metrics();
    expect(failing).toBe(0);
  });
  afterAll(() => bed?.stop(), 30_000);

  async function team(name: string, ...objects: readonly unknown[]): Promise<void> {
    await bed.put(namespaceOf(name));
    await bed.put(...ground(name), ...objects);
    await converges(name);
  }
  const converges = async (namespace: string, timeout = SOON.timeout): Promise<void> => {
    await vi.waitFor(async () => expect(await behind(bed, namespace)).toEqual([]), { ...SOON, timeout });
  };
  const condition = async (place: string, type: string): Promise<string | undefined> =>
    conditionsOf(await bed.get('Agent', place))[type];

  describe('a child that somebody has edited', () => {
    beforeAll(() => team('edited', helper('edited', 'helper')), 30_000);

    it.each(HAND_EDITS)('is put back: $what of its $kind', async ({ kind, change, part }) => {
      const before = await bed.the(kind, 'edited/helper');
      await bed.quiet('edited');
      const since = (await bed.writes('edited')).length;
      await bed.edit(kind, 'edited/helper', change);
      await expect.poll(async () => part(await bed.the(kind, 'edited/helper')), SOON).toEqual(part(before));
      expect((await bed.the(kind, 'edited/helper')).metadata.uid).toBe(before.metadata.uid);
      await bed.quiet('edited');
      // The child, and the status where its Deployment is another generation for a moment.
      expect((await bed.writes('edited')).length - since).toBeLessThanOrEqual(4);
      expect(await condition('edited/helper', 'Ready')).toBe('False Progressing');
    });

    it('is left alone once it is not the Agent’s any more, and put back when it is again', async () => {
      let owners: unknown;
      await bed.edit('Service', 'edited/helper', ({ metadata, spec }) => {
        owners = metadata.ownerReferences;
        metadata.ownerReferences = [];
        spec.ports[0].appProtocol = 'other';
      });
      await expect.poll(() => condition('edited/helper', 'Ready'), SOON).toBe('False NameTaken');
      expect((await bed.the('Service', 'edited/helper')).spec).toMatchObject({
        ports: [{ appProtocol: 'other' }],
      });
      await bed.edit('Service', 'edited/helper', ({ metadata }) => {
        metadata.ownerReferences = owners;
      });
      await expect.poll(() => condition('edited/helper', 'Ready'), SOON).toBe('False Progressing');
      expect((await bed.the('Service', 'edited/helper')).spec).toMatchObject({
        ports: [{ appProtocol: 'http' }],
      });
    });

    it('is put back also if that happened while no controller ran', async () => {
      await controller.end('graceful');
      for (const { kind, change } of HAND_EDITS.filter(({ what }) =>
        ['replicas', 'data', 'selector'].includes(what),
      )) {
        await bed.edit(kind, 'edited/helper', change);
      }
      expect(await behind(bed, 'edited')).not.toEqual([]);
      controller = await bed.start('--no-leader-elect');
      await converges('edited');
    });
  });

  describe('children that somebody deletes', () => {
    const KINDS = [
      'Deployment',
      'Secret',
      'Service',
      'ServiceAccount',
    ] as const satisfies readonly KindName[];

    it('all at once are made anew, once each', async () => {
      await team('deleted', helper('deleted', 'helper'));
      await bed.quiet('deleted');
      const since = (await bed.writes('deleted')).length;
      await Promise.all(KINDS.map((kind) => bed.delete(kind, 'deleted/helper')));
      await converges('deleted');
      await bed.quiet('deleted');
      const made = (await bed.writes('deleted')).slice(since).filter(({ code }) => code === 201);
      expect(made.map(({ resource }) => resource).sort()).toEqual([
        'deployments',
        'secrets',
        'serviceaccounts',
        'services',
      ]);
    });

    it('but that a finalizer keeps are told of and waited for, without a write', async () => {
      await team('kept', helper('kept', 'helper'), helper('kept', 'other'));
      const { uid } = (await bed.the('Secret', 'kept/helper')).metadata;
      await bed.edit('Secret', 'kept/helper', ({ metadata }) => {
        metadata.finalizers = ['example.com/keep'];
      });
      await bed.delete('Secret', 'kept/helper');
      await bed.put(helper('kept', 'helper', 'Help otherwise.'), helper('kept', 'other', 'Help otherwise.'));
      const goingAway = 'The Secret helper is being deleted. Then a new one is made.';
      await expect
        .poll(async () => messageOf(await bed.get('Agent', 'kept/helper'), 'Ready'), SOON)
        .toBe(goingAway);
      await bed.quiet('kept');
      expect((await behind(bed, 'kept')).filter((text) => text.startsWith('other'))).toEqual([]);
      await bed.edit('Secret', 'kept/helper', ({ metadata }) => {
        metadata.finalizers = [];
      });
      await converges('kept');
      expect((await bed.the('Secret', 'kept/helper')).metadata.uid).not.toBe(uid);
    });
  });

  describe('another writer', () => {
    const CHANGES: readonly (readonly [KindName, Change, 'status'?])[] = [
      ['Deployment', ({ spec }) => Object.assign(spec, { replicas: (spec.replicas % 5) + 2 })],
      ['Service', ({ metadata }) => delete metadata.labels['onbehalf.dev/agent']],
      ['Secret', ({ data }) => Object.assign(data, { 'config.json': 'e30K' })],
      ['Agent', (object) => Object.assign(object, { status: { conditions: [] } }), 'status'],
      [
        'Agent',
        ({ status }) => status && Object.assign(status, { observedGeneration: 99, configHash: 'none' }),
        'status',
      ],
    ];

    it('that changes children and statuses again and again is followed each time, and not after it has stopped', async () => {
      const names = named(3);
      await team('contended', ...names.map((name) => helper('contended', name)));
      await bed.quiet('contended');
      const since = (await bed.writes('contended')).length;
      const rounds = 12;
      let changes = 0;
      await Promise.all(
        names.map(async (name) => {
          for (let round = 0; round < rounds; round++) {
            for (const [kind, change, subresource] of CHANGES) {
              await bed.edit(kind, `contended/${name}`, change, subresource);
              changes += 1;
            }
          }
        }),
      );
      await converges('contended');
      await bed.quiet('contended');
      expect(await behind(bed, 'contended')).toEqual([]);
      const written = (await bed.writes('contended')).length - since;
      expect(written).toBeGreaterThan(names.length * CHANGES.length);
      expect(written).toBeLessThan(changes * 3);
    });

    it('that is a controller too, without a Lease, does not fight with this one', async () => {
      const second = await bed.start('--no-leader-elect');
      const names = named(5);
      await team('twice', ...names.map((name) => helper('twice', name)));
      await bed.put(...names.map((name) => helper('twice', name, 'Help otherwise.')));
      await converges('twice');
      await bed.quiet('twice');
      const uids = (await bed.list('Deployment', 'twice')).map(({ metadata }) => metadata.uid);
      await second.end('graceful');
      expect(uids).toHaveLength(names.length);
      expect(await behind(bed, 'twice')).toEqual([]);
    });
  });

  describe('a header Secret', () => {
    it('that is rotated rolls the pods that mount it, by a change of its labels too, and no others', async () => {
      await team('rotated', helper('rotated', 'helper'), agent('rotated', 'other'));
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
        await converges('rotated');
      }
      const before = await hashes();
      await bed.edit('Secret', 'rotated/header', () => {});
      await bed.quiet('rotated');
      expect(await hashes()).toEqual(before);
    });
  });

  describe('rights that are taken away', () => {
    it('show as the condition Forbidden of whom they are missing, and heal without a restart', async () => {
      await team('rights', helper('rights', 'helper'), helper('rights', 'other'));
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
      await converges('rights');
      expect(await condition('rights/helper', 'Ready')).toBe('False Progressing');
      await bed.quiet('rights');
    }, 60_000);

    it('that were all of them are waited for, also by watches that have to begin anew', async () => {
      await team('nothing', ...named(5).map((name) => helper('nothing', name)));
      const { body: binding } = await bed.plane.api('GET', BINDING);
      await bed.plane.api('DELETE', BINDING);
      await bed.put(...named(5).map((name) => helper('nothing', name, 'Help otherwise.')));
      await expect.poll(controller.log, SOON).toMatch(/"place":"reconcile[^\n]*forbidden/);
      await bed.plane.restartApiServer();
      await expect.poll(controller.log, SOON).toMatch(/"place":"watch[^\n]*forbidden/);
      await bed.put(...named(5).map((name) => helper('nothing', name, 'Help again.')));
      const { name } = binding.metadata;
      const again = { ...binding, metadata: { name } };
      expect((await bed.plane.api('POST', BINDINGS, { body: again })).status).toBe(201);
      await converges('nothing', 60_000);
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
      await team(namespace, helper(namespace, 'helper'));
      expect(await children(namespace)).toHaveLength(4);
      const path = `/apis/onbehalf.dev/v1alpha1/namespaces/${namespace}/agents/helper`;
      await bed.plane.api('DELETE', path, { body: { propagationPolicy: policy } });
      await expect.poll(() => children(namespace), SOON).toEqual([]);
      await expect.poll(() => bed.get('Agent', `${namespace}/helper`), SOON).toBeUndefined();
      await bed.quiet(namespace);
      expect(await children(namespace)).toEqual([]);
    });

    it('and made again at once has children of its own in the end', async () => {
      const names = named(8);
      await team('reborn', ...names.map((name) => helper('reborn', name)));
      const before = new Set((await bed.list('Deployment', 'reborn')).map(({ metadata }) => metadata.uid));
      for (const round of [1, 2, 3]) {
        for (const name of names) {
          await bed.delete('Agent', `reborn/${name}`);
          await bed.put(helper('reborn', name, `Help in round ${round}.`));
        }
      }
      await converges('reborn');
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
    expect(ours.length).toBeGreaterThan(50);
    expect(ours.filter(plantedIn).map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([]);
    expect(plantedIn(await controller.log())).toBe(false);
    // It would be seen.
    expect(plantedIn(await bed.the('Secret', 'planted/header'))).toBe(true);
  });
});
