// The controller, as processes with the rights of deploy/, while leaders die and the API server goes away and comes back.
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { namespaceOf } from './controller-bed.ts';
import { creations, unanswered, withoutLease } from './support/audit.ts';
import type { ControllerProcess } from './support/controller-process.ts';
import { converges } from './support/converged.ts';
import { type FaultBed, startFaultBed } from './support/fault-bed.ts';
import { ground, helper, named } from './support/objects.ts';

const available = inject('kube') !== undefined;
/** By default a lease is free when nobody has renewed it for 15 s, which is asked every 2 s. */
const TAKE_OVER = { timeout: 40_000, interval: 100 };
const SOON = { timeout: 30_000, interval: 100 };
const SLOW = 120_000;

describe.skipIf(!available)('controllers whose leader or API server fails', () => {
  let bed: FaultBed;
  beforeAll(async () => {
    bed = await startFaultBed();
  }, 60_000);
  afterEach(() => bed?.endControllers(), 30_000);
  afterAll(() => bed?.stop(), 30_000);

  async function prepare(namespace: string): Promise<void> {
    await bed.put(namespaceOf(namespace));
    await bed.put(...ground(namespace));
  }

  /** Two, of which the first leads. */
  async function startTwo(): Promise<readonly [ControllerProcess, ControllerProcess]> {
    const leader = await bed.start();
    await expect.poll(leader.leads, TAKE_OVER).toBe(true);
    return [leader, await bed.start()];
  }

  const transitions = async (): Promise<number> => {
    const lease = await bed.the('Lease', 'onbehalf-system/onbehalf-controller');
    return (lease.spec as { leaseTransitions: number }).leaseTransitions;
  };

  describe('a leader', () => {
    it(
      'that is killed in the middle of many Agents is followed by the other: nothing is lost or doubled',
      async () => {
        const names = named(120);
        await prepare('many');
        const [leader, other] = await startTwo();
        const before = await transitions();
        const asked = bed.put(...names.map((name) => helper('many', name)));
        await expect
          .poll(async () => (await leader.metrics())['writes_total{kind="applies"}'], {
            timeout: 30_000,
            interval: 5,
          })
          .toBeGreaterThan(100);
        await leader.end('kill');
        await asked;
        const half = await bed.list('Deployment', 'many');
        expect(creations(await bed.writes('many')).size).toBeLessThan(4 * names.length);
        // Nobody leads now, and the world goes on.
        await bed.put(helper('many', 'agent-1', 'Help otherwise.'), helper('many', 'late'));
        await bed.delete('Agent', 'many/agent-2');

        await expect.poll(other.leads, TAKE_OVER).toBe(true);
        await converges(bed, 'many', 30_000);
        await bed.quiet('many');
        expect(await bed.list('Agent', 'many')).toHaveLength(names.length);
        const writes = await bed.writes('many');
        const made = creations(writes);
        expect([...made].filter(([, times]) => times !== 1)).toEqual([]);
        // What the leader had under way when it was killed: carried out, or not and then made by the other.
        for (const id of unanswered(writes)) if (!made.has(id)) made.set(id, 1);
        const uids = new Map(
          (await bed.list('Deployment', 'many')).map(({ metadata }) => [metadata.name, metadata.uid]),
        );
        for (const { metadata } of half.filter((one) => one.metadata.name !== 'agent-2')) {
          expect([metadata.name, uids.get(metadata.name)]).toEqual([metadata.name, metadata.uid]);
        }
        // Of the Agent that was deleted, some may have been made before.
        const ofDeleted = [...made.keys()].filter((id) => id.endsWith('/agent-2')).length;
        expect(made.size - ofDeleted).toBe(4 * names.length);
        expect(await transitions()).toBe(before + 1);
        expect(withoutLease(await bed.writes())).toEqual([]);
      },
      SLOW,
    );

    it(
      'that ends in order gives the Lease back, and the other goes on at once',
      async () => {
        const [leader, other] = await startTwo();
        const began = Date.now();
        await leader.end('graceful');
        await expect.poll(other.leads, TAKE_OVER).toBe(true);
        expect(Date.now() - began).toBeLessThan(10_000);
        expect(await leader.log()).toMatch(/"event":"stop"/);
        expect(withoutLease(await bed.writes())).toEqual([]);
      },
      SLOW,
    );

    it(
      'that was stopped for longer than its Lease writes nothing when it goes on: another leads',
      async () => {
        await prepare('paused');
        const [leader, other] = await startTwo();
        await bed.put(...named(10).map((name) => helper('paused', name)));
        await converges(bed, 'paused');
        leader.pause();
        try {
          await expect.poll(other.leads, TAKE_OVER).toBe(true);
          // All of it waits in the sockets of the one that was stopped.
          await bed.put(...named(10).map((name) => helper('paused', name, 'Help otherwise.')));
          await converges(bed, 'paused');
          await bed.put(...named(10).map((name) => helper('paused', name, 'Help again.')));
        } finally {
          leader.resume();
        }
        await expect.poll(leader.leads, SOON).toBe(false);
        await converges(bed, 'paused');
        await bed.quiet('paused');
        expect(withoutLease(await bed.writes())).toEqual([]);
      },
      SLOW,
    );

    it(
      'steps down before its Lease can be taken when the API server answers nothing for 20 seconds',
      async () => {
        await prepare('silent');
        const [leader, other] = await startTwo();
        await bed.put(...named(5).map((name) => helper('silent', name)));
        await converges(bed, 'silent');
        const before = await transitions();
        bed.plane.pauseApiServer();
        const began = Date.now();
        let ledFor: number;
        try {
          await expect.poll(leader.leads, { timeout: 14_000, interval: 20 }).toBe(false);
          ledFor = Date.now() - began;
          await new Promise((resolve) => setTimeout(resolve, 20_000 - ledFor));
          expect(await Promise.all([leader.leads(), other.leads()])).toEqual([false, false]);
        } finally {
          bed.plane.resumeApiServer();
        }
        // It was renewed up to 2 s before, and is led with for 10 s of its 15.
        expect(ledFor).toBeLessThan(11_000);
        const leaders = async (): Promise<number> =>
          (await Promise.all([leader.leads(), other.leads()])).filter(Boolean).length;
        await expect.poll(leaders, TAKE_OVER).toBe(1);
        await bed.put(...named(5).map((name) => helper('silent', name, 'Help otherwise.')));
        await converges(bed, 'silent');
        expect(await leaders()).toBe(1);
        expect(await transitions()).toBeLessThanOrEqual(before + 1);
        expect(withoutLease(await bed.writes())).toEqual([]);
      },
      SLOW,
    );
  });

  describe('an API server', () => {
    /** Changes Agents, whatever happens to the API server, until `until` resolves; then once more, so that each has its last word. */
    async function changeWhile(
      namespace: string,
      names: readonly string[],
      until: Promise<void>,
    ): Promise<void> {
      let over = false;
      const ending = until.finally(() => {
        over = true;
      });
      for (let round = 0; !over; round++) {
        for (const [index, name] of names.entries()) {
          if (over) break;
          const change =
            (round + index) % 7 === 0
              ? bed.delete('Agent', `${namespace}/${name}`)
              : bed.put(helper(namespace, name, `Help in round ${round}.`));
          // It may be away, or the Agent may be.
          await change.catch(() => {});
        }
      }
      await ending;
      await bed.put(...names.map((name, index) => helper(namespace, name, `Help at last ${index}.`)));
    }

    it.each(['kill', 'graceful'] as const)(
      'that ends (%s) and comes back while Agents change: all converges',
      async (how) => {
        const namespace = `restart-${how}`;
        const names = named(20);
        await prepare(namespace);
        await startTwo();
        await bed.put(...names.map((name) => helper(namespace, name)));
        await changeWhile(namespace, names, bed.plane.restartApiServer(how));
        await converges(bed, namespace, 60_000);
        await bed.quiet(namespace);
        expect(withoutLease(await bed.writes())).toEqual([]);
      },
      SLOW,
    );

    it(
      'that has forgotten what a watch has missed (410) is listed anew: also what was deleted meanwhile is known',
      async () => {
        const names = named(12);
        await prepare('expired');
        const controller = await bed.start('--no-leader-elect');
        await bed.put(...names.map((name) => helper('expired', name)));
        await converges(bed, 'expired');
        const objects = (await controller.metrics()).objects ?? 0;
        controller.pause();
        try {
          await bed.put(...names.slice(2).map((name) => helper('expired', name, 'Help otherwise.')));
          await bed.delete('Agent', 'expired/agent-0');
          await bed.delete('Agent', 'expired/agent-1');
          await bed.edit('RemoteMCPServer', 'expired/mail', ({ spec }) => {
            spec.stsAudience = 'mail-eu';
          });
          for (const kind of ['Deployment', 'Service', 'Secret', 'ServiceAccount'] as const) {
            await expect
              .poll(
                async () =>
                  (await bed.list(kind, 'expired')).some(({ metadata }) => metadata.name === 'agent-1'),
                SOON,
              )
              .toBe(false);
          }
          await bed.delete('Service', 'expired/agent-3');
          await bed.plane.expireWatches();
        } finally {
          controller.resume();
        }
        await converges(bed, 'expired');
        const found = await bed.the('Agent', 'expired/agent-2');
        expect(found.status).toMatchObject({ targets: [{ audiences: ['mail-eu'] }] });
        await bed.quiet('expired');
        // Two Agents and four children of each. Of the Service that was made again, a watch tells in its own time.
        await expect.poll(async () => (await controller.metrics()).objects, SOON).toBe(objects - 10);
        expect(await controller.log()).not.toMatch(/TypeError|ReferenceError/);
      },
      SLOW,
    );
  });
});

describe.skipIf(!available)('a controller at an API server that lets few through', () => {
  let bed: FaultBed;
  beforeAll(async () => {
    bed = await startFaultBed({
      apiServer: {
        'max-requests-inflight': '1',
        'max-mutating-requests-inflight': '1',
        'enable-priority-and-fairness': 'false',
      },
    });
  }, 60_000);
  afterAll(() => bed?.stop(), 30_000);

  it(
    'gets there all the same, and makes each object once',
    async () => {
      const names = named(30);
      await bed.put(namespaceOf('throttled'));
      await bed.put(...ground('throttled'), ...names.map((name) => helper('throttled', name)));
      const controller = await bed.start('--no-leader-elect', '--concurrency', '32');
      await converges(bed, 'throttled', 90_000);
      await bed.quiet('throttled');
      const { body: metrics } = await bed.plane.api('GET', '/metrics');
      const refused = /^apiserver_request_total{[^}]*code="429"[^}]*} (\d+)$/gm;
      const count = [...String(metrics).matchAll(refused)].reduce(
        (sum, [, number]) => sum + Number(number),
        0,
      );
      expect(count).toBeGreaterThan(10);
      const made = creations(await bed.writes('throttled'));
      expect([made.size, [...made.values()].every((times) => times === 1)]).toEqual([4 * names.length, true]);
      expect(await controller.leads()).toBe(true);
    },
    SLOW,
  );
});
