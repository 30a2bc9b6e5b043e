import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { createKubeClient } from '../../../../src/kubernetes/client/kube-client.ts';
import { RESOURCES } from '../../../../src/kubernetes/client/resources.ts';
import type { KubeClient, KubeObject } from '../../../../src/kubernetes/client/types.ts';
import { ROOT } from '../../../deploy/manifests.ts';
import type { Kubeconfig } from '../../support/kube-client.ts';
import { type ControlPlane, startControlPlane } from '../../support/kube-control-plane.ts';
import { type Audit, createAudit, type Write } from './audit.ts';
import { type ControllerProcess, startController } from './controller-process.ts';

const SYSTEM = 'onbehalf-system';
const ACCOUNT = { namespace: SYSTEM, serviceAccount: 'onbehalf-controller' };

/** Kinds of objects, by name. */
export type KindName = keyof typeof RESOURCES;
/** Changes an object in place. */
// biome-ignore lint/suspicious/noExplicitAny: each kind has its own shape.
export type Change = (object: any) => void;
/** `NAMESPACE/NAME`. */
export type PlaceText = string;

/** A cluster with what `deploy/overlays/cluster` installs, where the controllers are processes. */
export interface FaultBed {
  readonly plane: ControlPlane;
  /** The administrator. */
  readonly client: KubeClient;
  /** Starts a controller as its own service account, with a token of its own. It ends with the bed at the latest. */
  start(...args: readonly string[]): Promise<ControllerProcess>;
  /** Ends all controllers, in order: the Lease is free then. */
  endControllers(): Promise<void>;
  /** As an administrator. @throws Error with the API server's words */
  put(...objects: readonly unknown[]): Promise<void>;
  /** As one who edits an object by hand; again, if somebody else has changed it meanwhile. @throws Error with the API server's words */
  edit(kind: KindName, place: PlaceText, change: Change, subresource?: 'status'): Promise<void>;
  get(kind: KindName, place: PlaceText): Promise<KubeObject | undefined>;
  /** @throws Error where there is none */
  the(kind: KindName, place: PlaceText): Promise<KubeObject>;
  list(kind: KindName, namespace?: string): Promise<readonly KubeObject[]>;
  delete(kind: KindName, place: PlaceText): Promise<void>;
  /** Writes of all controllers to a namespace, or to what has one name there; default: all. */
  writes(place?: string): Promise<readonly Write[]>;
  /** Resolves when no controller has written anything there for a while. */
  quiet(place: string): Promise<void>;
  stop(): Promise<void>;
}

export interface FaultBedOptions {
  /** Flags of kube-apiserver. */
  readonly apiServer?: Readonly<Record<string, string>>;
  /** Changes the manifests of the CRDs. */
  readonly crd?: (manifest: string) => string;
}

const QUIET_MS = 800;
const RUNNING_MS = 60_000;
const TRIES = 10;

export async function startFaultBed({
  apiServer = {},
  crd = (text) => text,
}: FaultBedOptions = {}): Promise<FaultBed> {
  const audit = await createAudit(`system:serviceaccount:${SYSTEM}:${ACCOUNT.serviceAccount}`);
  const crds = (await manifests('deploy/crds')).map(crd);
  const plane = await startControlPlane({ crds, apiServer: { ...audit.flags, ...apiServer } });
  const { code, stderr } = await plane.kubectl(['apply', '-k', join(ROOT, 'deploy/overlays/cluster')]);
  if (code !== 0) throw new Error(stderr);
  const client = await createKubeClient({
    kubeconfig: plane.adminKubeconfig.path,
    fieldManager: 'onbehalf-test',
  });
  const running: ControllerProcess[] = [];
  return {
    ...{ plane, client, ...objectsOf(client, plane), ...writesOf(audit) },
    async start(...args) {
      const { path }: Kubeconfig = await plane.kubeconfigFor(ACCOUNT);
      const started = await startController({ kubeconfig: path, args });
      running.push(started);
      return started;
    },
    async endControllers() {
      for (const one of running.splice(0)) await one.end('graceful');
    },
    async stop() {
      for (const one of running) await one.end('kill');
      client.close();
      await plane.stop();
      await audit.remove();
    },
  };
}

async function manifests(folder: string): Promise<readonly string[]> {
  const files = (await readdir(join(ROOT, folder))).filter((name) => name.includes('onbehalf.dev'));
  return Promise.all(files.map((name) => readFile(join(ROOT, folder, name), 'utf8')));
}

type Objects = Pick<FaultBed, 'put' | 'edit' | 'get' | 'the' | 'list' | 'delete'>;

function objectsOf(client: KubeClient, plane: ControlPlane): Objects {
  const get: Objects['get'] = (kind, place) => client.get(RESOURCES[kind], placeOf(place));
  return {
    get,
    async put(...objects) {
      await Promise.all(
        (objects as readonly KubeObject[]).map((object) =>
          client.apply(RESOURCES[object.kind as KindName], object),
        ),
      );
    },
    async edit(kind, place, change, subresource) {
      const path = pathOf(kind, place, subresource);
      for (let tries = 1; ; tries++) {
        const { body } = await plane.api('GET', path);
        change(body);
        const { status, body: said } = await plane.api('PUT', path, { body });
        if (status === 200) return;
        if (status !== 409 || tries === TRIES)
          throw new Error(`${kind} ${place} was not edited: ${said.message}`);
      }
    },
    async the(kind, place) {
      const found = await get(kind, place);
      if (found === undefined) throw new Error(`there is no ${kind} ${place}`);
      return found;
    },
    list: async (kind, namespace) => (await client.list(RESOURCES[kind], { namespace })).items,
    async delete(kind, place) {
      const { status, body: said } = await plane.api('DELETE', pathOf(kind, place));
      if (status > 202) throw new Error(`${kind} ${place} was not deleted: ${said.message}`);
    },
  };
}

function placeOf(text: PlaceText): { readonly namespace: string; readonly name: string } {
  const [name = '', namespace = ''] = text.split('/').reverse();
  return { namespace, name };
}

function pathOf(kind: KindName, place: PlaceText, subresource?: string): string {
  const { apiVersion, plural } = RESOURCES[kind];
  const { namespace, name } = placeOf(place);
  const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  const at = `${root}${namespace === '' ? '' : `/namespaces/${namespace}`}/${plural}/${name}`;
  return subresource === undefined ? at : `${at}/${subresource}`;
}

function writesOf(audit: Audit): Pick<FaultBed, 'writes' | 'quiet'> {
  const writes: FaultBed['writes'] = async (place) => {
    const [wanted, its] = place?.split('/') ?? [];
    return (await audit.writes()).filter(
      ({ namespace, name }) => (wanted ?? namespace) === namespace && (its ?? name) === name,
    );
  };
  return {
    writes,
    async quiet(place) {
      let [count, since] = [-1, Date.now()];
      const lasts = async (): Promise<number> => {
        const now = (await writes(place)).length;
        if (now !== count) [count, since] = [now, Date.now()];
        return Date.now() - since;
      };
      const wait = { timeout: RUNNING_MS, interval: 50 };
      await vi.waitFor(async () => expect(await lasts()).toBeGreaterThan(QUIET_MS), wait);
    },
  };
}
