import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

/** Folder of this repository. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));

/** A manifest, and where it stands. */
export interface Manifest {
  /** Path of its file, from the root of the repository. */
  readonly file: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: each kind has its own shape, and tests look at single fields.
  readonly [member: string]: any;
}

/** What a kustomization says, as far as it is used here. */
export interface Kustomization {
  /** Path of its file, from the root of the repository. */
  readonly file: string;
  readonly resources?: readonly string[];
  readonly configurations?: readonly string[];
  readonly images?: readonly { readonly name: string }[];
}

/** Paths of the YAML files in a folder and below it, from the root of the repository. */
export function yamlFiles(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => `${folder}/${name}`)
    .sort();
}

/** The documents of a YAML file. @throws Error with the file's name where it is no YAML, a warning included */
export function documentsOf(file: string): readonly Manifest[] {
  return parseYaml(readFileSync(join(ROOT, file), 'utf8'), file);
}

/** The documents of a text. */
export function parseYaml(text: string, file: string): readonly Manifest[] {
  return parseAllDocuments(text).map((document) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw new Error(`${file}: ${problem.message}`);
    return { ...(document.toJS() as object), file } as Manifest;
  });
}

export function kustomizationOf(folder: string): Kustomization {
  return documentsOf(join(folder, 'kustomization.yaml'))[0] as unknown as Kustomization;
}

/** The files that a kustomization and those it builds on are made of, as they stand: without what it changes in them. */
export function filesOf(folder: string): readonly string[] {
  return (kustomizationOf(folder).resources ?? []).flatMap((resource) => {
    const path = relative(ROOT, join(ROOT, folder, resource));
    return path.endsWith('.yaml') ? [path] : filesOf(path);
  });
}

/** The folders below deploy/ that have a kustomization. */
export const KUSTOMIZATIONS: readonly string[] = yamlFiles('deploy')
  .filter((file) => file.endsWith('/kustomization.yaml'))
  .map(dirname);

/** Every manifest below deploy/: no kustomization, no setting of one. */
export const MANIFESTS: readonly Manifest[] = yamlFiles('deploy')
  .filter((file) => !/(kustomization|image-fields)\.yaml$/.test(file))
  .flatMap(documentsOf);

/** The one manifest of this kind and name. @throws Error where there is none, or more than one */
export function manifestOf(kind: string, name: string): Manifest {
  const [found, ...more] = MANIFESTS.filter((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined || more.length > 0) throw new Error(`there is not one ${kind} ${name}`);
  return found;
}
