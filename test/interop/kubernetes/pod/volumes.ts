import { chmod, chown, mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ControlPlane } from '../../support/kube-control-plane.ts';
import type { DataSource, PodSpec, ProjectedSource, Volume } from './template.ts';

/** Whose pod it is, and where its volumes become folders. */
export interface Ground {
  readonly plane: ControlPlane;
  readonly namespace: string;
  readonly pod: PodSpec;
  /** A folder for each volume is made in it. */
  readonly folder: string;
}

const isRoot = process.getuid?.() === 0;

/**
 * Makes the volumes of a pod real, as the kubelet does: what Secrets and ConfigMaps hold as files, tokens from the
 * TokenRequest API. Called again, it puts the present content in place of the old, file by file.
 */
export async function fillVolumes(ground: Ground): Promise<void> {
  for (const volume of ground.pod.volumes) await fillVolume(ground, volume);
}

async function fillVolume(ground: Ground, volume: Volume): Promise<void> {
  const folder = join(ground.folder, volume.name);
  await mkdir(folder, { recursive: true });
  // Whoever the container runs as: the kubelet gives an emptyDir to the group of the pod.
  if (volume.emptyDir) return chmod(folder, 0o777);
  const files = await filesOf(ground, volume);
  const mode = (volume.projected ?? volume.secret ?? volume.configMap)?.defaultMode ?? 0o644;
  for (const [path, content] of files)
    await put(join(folder, path), { content, mode, group: groupOf(ground) });
}

type Files = readonly (readonly [path: string, content: Buffer])[];

async function filesOf(ground: Ground, volume: Volume): Promise<Files> {
  const sources: readonly ProjectedSource[] = volume.projected?.sources ?? [volume];
  const files = await Promise.all(sources.map((source) => filesOfSource(ground, source)));
  return files.flat();
}

async function filesOfSource(ground: Ground, source: ProjectedSource): Promise<Files> {
  const { secret, configMap, serviceAccountToken: token } = source;
  if (secret) return dataFiles(await data(ground, 'secrets', secret), secret);
  if (configMap) return dataFiles(await data(ground, 'configmaps', configMap), configMap);
  if (!token) throw new Error(`no such volume here: ${JSON.stringify(source)}`);
  const jwt = await ground.plane.tokenFor({
    namespace: ground.namespace,
    serviceAccount: ground.pod.serviceAccountName,
    audiences: [token.audience],
    seconds: token.expirationSeconds,
  });
  return [[token.path, Buffer.from(jwt)]];
}

/** The content of a Secret or ConfigMap, by key. */
export async function data(
  { plane, namespace }: Pick<Ground, 'plane' | 'namespace'>,
  plural: 'secrets' | 'configmaps',
  { secretName, name = secretName }: DataSource,
): Promise<ReadonlyMap<string, Buffer>> {
  const { status, body } = await plane.api('GET', `/api/v1/namespaces/${namespace}/${plural}/${name}`);
  if (status !== 200) throw new Error(`the pod cannot start: ${plural} ${namespace}/${name}: ${status}`);
  const encoding = plural === 'secrets' ? 'base64' : 'utf8';
  const entries = Object.entries<string>(body.data ?? {});
  return new Map(entries.map(([key, text]) => [key, Buffer.from(text, encoding)]));
}

function dataFiles(content: ReadonlyMap<string, Buffer>, { items, name }: DataSource): Files {
  if (!items) return [...content];
  return items.map(({ key, path }) => {
    const bytes = content.get(key);
    if (!bytes) throw new Error(`the pod cannot start: ${name} has no key ${key}`);
    return [path, bytes];
  });
}

const groupOf = ({ pod }: Ground): number | undefined => pod.securityContext.fsGroup;

/** Whole or not at all, as readers see it. */
async function put(
  path: string,
  file: { readonly content: Buffer; readonly mode: number; readonly group: number | undefined },
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const fresh = `${path}.fresh`;
  await writeFile(fresh, file.content);
  if (isRoot && file.group !== undefined) await chown(fresh, 0, file.group);
  await chmod(fresh, file.mode);
  await rename(fresh, path);
}
