// The controller, as a process with the rights of deploy/, while others change and delete what it has made.
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { conditionsOf, messageOf, podOf } from './controller-bed.ts';
import type { ControllerProcess } from './support/controller-process.ts';
import { behind, converges } from './support/converged.ts';
import { type Change, type FaultBed, type KindName, startFaultBed } from './support/fault-bed.ts';
import { HAND_EDITS } from './support/hand-edits.ts';
import { helper, named, team } from './support/objects.ts';

const available = inject('kube') !== undefined;
const SOON = { timeout: 20_000, interval: 50 };

describe.skipIf(!available)('the controller, while others work on its children', () => {
  let bed: FaultBed;
  let controller: ControllerProcess;
  beforeAll(async () => {
    bed = await startFaultBed();
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

  describe('a child that somebody has edited', () => {
    beforeAll(async () => {
      await team(
        bed,
        'edited',
        ...HAND_EDITS.map((_, index) => helper('edited', `helper-${index}`)),
        helper('edited', 'helper'),
      );
      await bed.quiet('edited');
    }, 30_000);

    it.each(
      HAND_EDITS.map(
        (edit, index) => [`${edit.what} of a ${edit.kind}`, edit, `edited/helper-${index}`] as const,
      ),
    )('is put back: %s', async (_, { kind, change, part }, place) => {
      const before = await bed.the(kind, place);
      const since = (await bed.writes(place)).length;
      await bed.edit(kind, place, change);
      await expect.poll(async () => part(await bed.the(kind, place)), SOON).toEqual(part(before));
      expect((await bed.the(kind, place)).metadata.uid).toBe(before.metadata.uid);
      await bed.quiet(place);
      // The child, and the status where its Deployment is another generation for a moment.
      expect((await bed.writes(place)).length - since).toBeLessThanOrEqual(4);
      expect(await condition(place, 'Ready')).toBe('False Progressing');
    });

    it('is the Agent’s alone after it had to be overwritten: what the Agent no longer says goes', async () => {
      const isEmptied = ({ volumes }: { volumes: readonly object[] }): boolean =>
        volumes.some((volume) => JSON.stringify(volume) === '{"name":"config","emptyDir":{}}');
      const [kindOfVolume] = HAND_EDITS.filter(({ what }) => what === 'the kind of a volume');
      await bed.edit('Deployment', 'edited/helper', (object) => kindOfVolume?.change(object));
      await expect
        .poll(async () => isEmptied(podOf(await bed.the('Deployment', 'edited/helper'))), SOON)
        .toBe(false);
      await bed.quiet('edited/helper');
      const { metadata } = await bed.the('Deployment', 'edited/helper');
      const { managedFields } = metadata as { managedFields?: readonly { manager: string }[] };
      expect(managedFields?.map(({ manager }) => manager)).not.toContain('onbehalf-repair');
      await bed.edit('Agent', 'edited/helper', ({ spec }) => {
        spec.declarative.deployment.env = [{ name: 'OTHER', value: 'one' }];
      });
      const names = async (): Promise<readonly string[]> =>
        podOf(await bed.the('Deployment', 'edited/helper')).containers[0].env.map(
          ({ name }: { name: string }) => name,
        );
      await expect.poll(names, SOON).toEqual(['SCRIPTED_API_KEY', 'OTHER']);
    });

    it('is not overwritten where it is the Agent that the API server does not take', async () => {
      await bed.edit('Deployment', 'edited/helper', ({ spec }) => {
        spec.template.spec.containers.push({ name: 'sidecar', image: 'registry.example/sidecar' });
      });
      await bed.edit('Agent', 'edited/helper', ({ spec }) => {
        spec.declarative.deployment.labels = { 'not a label': 'x' };
      });
      await expect.poll(() => condition('edited/helper', 'Ready'), SOON).toBe('False Rejected');
      expect(messageOf(await bed.get('Agent', 'edited/helper'), 'Ready')).toMatch(/not a label/);
      const containers = podOf(await bed.the('Deployment', 'edited/helper')).containers as { name: string }[];
      expect(containers.map(({ name }) => name)).toEqual(['agent', 'sidecar']);
      await bed.edit('Agent', 'edited/helper', ({ spec }) => {
        spec.declarative.deployment.labels = {};
      });
      await expect.poll(() => condition('edited/helper', 'Ready'), SOON).toBe('False Progressing');
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
      await converges(bed, 'edited');
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
      await team(bed, 'deleted', helper('deleted', 'helper'));
      await bed.quiet('deleted');
      const since = (await bed.writes('deleted')).length;
      await Promise.all(KINDS.map((kind) => bed.delete(kind, 'deleted/helper')));
      await converges(bed, 'deleted');
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
      await team(bed, 'kept', helper('kept', 'helper'), helper('kept', 'other'));
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
      await converges(bed, 'kept');
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
      await team(bed, 'contended', ...names.map((name) => helper('contended', name)));
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
      await converges(bed, 'contended');
      await bed.quiet('contended');
      expect(await behind(bed, 'contended')).toEqual([]);
      const written = (await bed.writes('contended')).length - since;
      expect(written).toBeGreaterThan(names.length * CHANGES.length);
      expect(written).toBeLessThan(changes * 3);
    });

    it('that is a controller too, without a Lease, does not fight with this one', async () => {
      const second = await bed.start('--no-leader-elect');
      const names = named(5);
      await team(bed, 'twice', ...names.map((name) => helper('twice', name)));
      await bed.put(...names.map((name) => helper('twice', name, 'Help otherwise.')));
      await converges(bed, 'twice');
      await bed.quiet('twice');
      const uids = (await bed.list('Deployment', 'twice')).map(({ metadata }) => metadata.uid);
      await second.end('graceful');
      expect(uids).toHaveLength(names.length);
      expect(await behind(bed, 'twice')).toEqual([]);
    });
  });
});
