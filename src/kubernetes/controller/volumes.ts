import { posix } from 'node:path';
import type { CompiledAgent, DataMount, TokenMount } from '../compile/types.ts';

/** Where `config.json` and `agent-card.json` are in the pod, by the pod contract. */
export const CONFIG_FOLDER = '/config';
/** Everything else that is mounted is below this. */
const DATA_FOLDER = '/var/run/secrets/onbehalf';
/** Owner and group may read. */
const READ_ONLY = 0o440;

/** Volumes of a pod, and where its container has them. */
export interface Volumes {
  readonly volumes: readonly Record<string, unknown>[];
  readonly mounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: true }[];
}

/**
 * The config, a folder for temporary files, and one volume for all that is projected: data of Secrets and ConfigMaps, and
 * service-account tokens. The kubelet renews the tokens, and puts new data in place of the old without a restart.
 *
 * @param secretName - the Secret that holds the config
 */
export function volumesOf(secretName: string, compiled: CompiledAgent): Volumes {
  const sources = [...dataSources(compiled.mounts), ...compiled.tokens.map(tokenSource)];
  const projected = { name: 'onbehalf', projected: { defaultMode: READ_ONLY, sources } };
  return {
    volumes: [
      { name: 'config', secret: { secretName, defaultMode: READ_ONLY } },
      { name: 'tmp', emptyDir: {} },
      ...(sources.length > 0 ? [projected] : []),
    ],
    mounts: [
      { name: 'config', mountPath: CONFIG_FOLDER, readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
      ...(sources.length > 0 ? [{ name: 'onbehalf', mountPath: DATA_FOLDER, readOnly: true } as const] : []),
    ],
  };
}

/** One source for each object, with the keys that are needed and no other. */
function dataSources(mounts: readonly DataMount[]): readonly Record<string, unknown>[] {
  const objects = new Map<string, { first: DataMount; items: Map<string, DataMount> }>();
  for (const mount of mounts) {
    const id = `${mount.kind}/${mount.name}`;
    const known = objects.get(id) ?? { first: mount, items: new Map<string, DataMount>() };
    known.items.set(mount.path, mount);
    objects.set(id, known);
  }
  return [...objects.values()].map(({ first: { kind, name }, items }) => ({
    [kind === 'Secret' ? 'secret' : 'configMap']: {
      name,
      items: [...items.values()].map(({ key, path }) => ({ key, path: inFolder(path) })),
    },
  }));
}

function tokenSource({ audience, expirationSeconds, path }: TokenMount): Record<string, unknown> {
  return { serviceAccountToken: { audience, expirationSeconds, path: inFolder(path) } };
}

/** @throws Error for a path elsewhere, which only a bug can make */
function inFolder(path: string): string {
  const relative = posix.relative(DATA_FOLDER, path);
  if (relative === '' || relative === '..' || relative.startsWith('../')) {
    throw new Error(`${path} is not below ${DATA_FOLDER}`);
  }
  return relative;
}
