import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { KINDS } from '../kubernetes/api/kinds.ts';
import { GROUP } from '../kubernetes/api/meta.ts';
import { importKagent } from '../kubernetes/kagent/import.ts';
import type { ImportProblem } from '../kubernetes/kagent/types.ts';
import { type Manifest, type ManifestObject, readManifests } from '../kubernetes/manifests.ts';
import type { CliIo } from './io.ts';

/** Objects of files, with kagent's turned into ours; and lines for people. */
export interface ManifestSet {
  readonly objects: readonly ManifestObject[];
  /** Each `file:line: what`. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** The place of a field of an object, `file:line`; `undefined`: the object is not from a file. */
  readonly placeOf: (object: ObjectName, field: string) => string | undefined;
}

/** Names an object. */
interface ObjectName {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** kagent's kinds, and ours that they become, where it is another. */
const BECOMES: Readonly<Record<string, string>> = {
  MCPServer: 'RemoteMCPServer',
  Service: 'RemoteMCPServer',
};

/**
 * Reads manifests.
 *
 * @param paths - files; directories, of which the files .yaml, .yml and .json are read; `-` is standard input
 * @throws Error that says what to do where one of them cannot be read
 */
export async function readManifestFiles(paths: readonly string[], io: CliIo): Promise<ManifestSet> {
  const files = (await Promise.all(paths.map(filesOf))).flat();
  const read = await Promise.all([...new Set(files)].map((file) => readOne(file, io)));
  const manifests = read.flatMap(({ objects }) => objects);
  const mistakes = read.flatMap(({ problems }) => problems);
  const imported = importKagent(manifests.map(({ object }) => object));
  const of = (name: ObjectName): Manifest | undefined =>
    manifests.findLast(({ object }) => isNamed(object, name));
  const told = ({ object, field, message }: Pick<ImportProblem, 'object' | 'field' | 'message'>): string => {
    const source = of(object);
    return `${placeText(source, field)}${nameText(object)}: ${field}: ${message}`;
  };
  return {
    objects: imported.objects as readonly ManifestObject[],
    problems: [
      ...mistakes.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`),
      ...unknownKinds(manifests),
      ...doubles(manifests),
      ...imported.problems.map(told),
    ],
    warnings: imported.warnings.map(told),
    placeOf: (name, field) => {
      const source = of(name) ?? manifests.findLast(({ object }) => becomes(object, name));
      return source && `${source.file}:${source.lineOf(field)}`;
    },
  };
}

/** The name of an object for people, e.g. `Agent demo/assistant`. */
export function nameText({ kind, namespace, name }: ObjectName): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

async function filesOf(path: string): Promise<readonly string[]> {
  if (path === '-') return [path];
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw unreadable(path, cause);
  });
  if (!found.isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => /\.(ya?ml|json)$/i.test(name));
  if (names.length === 0) throw new Error(`The directory ${path} has no files .yaml, .yml or .json`);
  return names.sort().map((name) => join(path, name));
}

async function readOne(file: string, io: CliIo): ReturnType<typeof readManifests> {
  if (file === '-') return readManifests((await io.input?.()) ?? '', 'standard input');
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw unreadable(file, cause);
  });
  return readManifests(text, file);
}

function unreadable(path: string, cause: NodeJS.ErrnoException): Error {
  const why =
    cause.code === 'ENOENT' ? 'there is no such file or directory' : (cause.code ?? 'unknown reason');
  return new Error(`Cannot read ${path}: ${why}`, { cause });
}

/** A misspelt kind would be passed over, and then not be found. */
function unknownKinds(manifests: readonly Manifest[]): readonly string[] {
  const kinds = Object.keys(KINDS);
  return manifests.flatMap(({ object: { apiVersion, kind }, file, line }) => {
    if (!apiVersion.startsWith(`${GROUP}/`) || kinds.includes(kind)) return [];
    return [
      `${file}:${line}: ${GROUP} has no kind ${JSON.stringify(kind)}: it has ${kinds.sort().join(', ')}`,
    ];
  });
}

/** Applied one after the other, the last would win; in a set of files nobody can mean that. */
function doubles(manifests: readonly Manifest[]): readonly string[] {
  const first = new Map<string, Manifest>();
  return manifests.flatMap((manifest) => {
    const { object, file, line } = manifest;
    const id = JSON.stringify([object.apiVersion, object.kind, namespaceOf(object), object.metadata.name]);
    const other = first.get(id);
    if (other === undefined) {
      first.set(id, manifest);
      return [];
    }
    const name = nameText({ kind: object.kind, namespace: namespaceOf(object), name: object.metadata.name });
    return [
      `${file}:${line}: ${name} is given twice, first at ${other.file}:${other.line}: keep one of them`,
    ];
  });
}

function isNamed(object: ManifestObject, { kind, namespace, name }: ObjectName): boolean {
  return (
    object.kind === kind &&
    object.metadata.name === name &&
    (namespace === '' || namespaceOf(object) === namespace)
  );
}

function becomes(object: ManifestObject, name: ObjectName): boolean {
  const kind = BECOMES[object.kind];
  return kind === name.kind && isNamed(object, { ...name, kind: object.kind });
}

function namespaceOf({ metadata: { namespace } }: ManifestObject): string {
  return typeof namespace === 'string' ? namespace : 'default';
}

function placeText(source: Manifest | undefined, field: string): string {
  return source === undefined ? '' : `${source.file}:${source.lineOf(field)}: `;
}
