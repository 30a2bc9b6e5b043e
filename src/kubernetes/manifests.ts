import type { Document, LineCounter, Node } from 'yaml';
import { loadYaml } from './load-yaml.ts';

type YamlModule = Awaited<ReturnType<typeof loadYaml>>;

/** Any object of the Kubernetes API, as JSON. */
export interface ManifestObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [member: string]: unknown };
  readonly [member: string]: unknown;
}

/** An object of a file. Of a Secret only the names of its keys are kept. */
export interface Manifest {
  readonly object: ManifestObject;
  readonly file: string;
  /** Where the object starts; the first line is 1. */
  readonly line: number;
  /** Line of a field, e.g. of `spec.tools[0].name`; of what is nearest to it where the field is not there. */
  readonly lineOf: (field: string) => number;
}

/** What is wrong with a file. Never repeats what stands there. */
export interface ManifestProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** The objects of a file, and what is wrong with it. */
export interface Manifests {
  readonly objects: readonly Manifest[];
  readonly problems: readonly ManifestProblem[];
}

/** More aliases in one document are no manifest, but an attempt to fill the memory. */
const MOST_ALIASES = 100;

/** The parser's own messages quote the text, which may be a secret. */
const MESSAGES: Readonly<Record<string, string>> = {
  BAD_INDENT: 'the indentation does not fit the lines before, or a bracket before is not closed',
  BLOCK_AS_IMPLICIT_KEY: 'a mapping starts where a value should be: check the indentation and the colons',
  BLOCK_IN_FLOW: 'a block stands inside of brackets',
  DUPLICATE_KEY: 'this key is given twice in its mapping',
  MISSING_CHAR: 'a character is missing: check quotes, brackets, commas, and the space after a colon',
  MULTIPLE_DOCS: 'a second document starts without ---',
  TAB_AS_INDENT: 'a tab stands in the indentation: YAML takes spaces only',
  UNEXPECTED_TOKEN: 'something stands where nothing should: check quotes, brackets and commas',
};

interface Source {
  readonly document: Document;
  readonly file: string;
  readonly lines: LineCounter;
  readonly yaml: YamlModule;
}

/**
 * Reads the objects of a file: YAML of one or more documents, or JSON; a List counts as its items.
 *
 * @param file - names the file in problems
 * @throws Error that names the package to install where `yaml` is missing
 */
export async function readManifests(text: string, file: string): Promise<Manifests> {
  const yaml = await loadYaml();
  const lines = new yaml.LineCounter();
  const objects: Manifest[] = [];
  const problems: ManifestProblem[] = [];
  for (const document of documentsOf(yaml, text, lines)) {
    const source: Source = { document, file, lines, yaml };
    const found = document.errors.length > 0 ? mistakes(source) : objectsOf(source);
    objects.push(...found.objects);
    problems.push(...found.problems);
  }
  return { objects, problems };
}

function documentsOf(yaml: YamlModule, text: string, lineCounter: LineCounter): readonly Document[] {
  try {
    const options = {
      lineCounter,
      prettyErrors: false,
      uniqueKeys: true,
      merge: true,
      logLevel: 'silent',
    } as const;
    const documents = yaml.parseAllDocuments(text, options);
    return Array.isArray(documents) ? documents : [];
  } catch {
    // The parser calls itself for each level of nesting.
    const document = new yaml.Document();
    document.errors.push(new yaml.YAMLParseError([0, 0], 'IMPOSSIBLE', ''));
    return [document];
  }
}

function mistakes({ document, file, lines }: Source): Manifests {
  const problems = document.errors.map(({ code, pos: [offset] }) => {
    const { line, col } = lines.linePos(offset);
    const message = MESSAGES[code] ?? 'this is neither YAML nor JSON';
    return { file, line: Math.max(line, 1), column: Math.max(col, 1), message };
  });
  return { objects: [], problems };
}

function objectsOf(source: Source): Manifests {
  const { document } = source;
  // An empty document, as behind a last ---.
  if (document.contents === null) return { objects: [], problems: [] };
  let value: unknown;
  try {
    const lost = lostAlias(source);
    if (lost !== undefined) {
      return { objects: [], problems: [problemAt(source, lost, 'this alias names no anchor before it')] };
    }
    // Through JSON: what it cannot say, as .inf or a map as key, could not be sent to the API server either.
    value = JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: MOST_ALIASES }) ?? null));
  } catch {
    const message = 'cannot be read: it has more aliases than any manifest needs, or is nested too deeply';
    return { objects: [], problems: [problemAt(source, document.contents, message)] };
  }
  return value === null ? { objects: [], problems: [] } : itemsOf(source, value, []);
}

function lostAlias({ document, yaml }: Source): Node | undefined {
  let lost: Node | undefined;
  yaml.visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) !== undefined) return undefined;
      lost = alias;
      return yaml.visit.BREAK;
    },
  });
  return lost;
}

/** One object, or those of a List. */
function itemsOf(source: Source, value: unknown, path: Path): Manifests {
  const object = loose(value);
  const { kind, items } = object;
  if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items)) {
    const all = items.map((item: unknown, index) => itemsOf(source, item, [...path, 'items', index]));
    return { objects: all.flatMap((one) => one.objects), problems: all.flatMap((one) => one.problems) };
  }
  // What is for kustomize is no object of a cluster, and stands beside those that are.
  if (String(object.apiVersion).startsWith('kustomize.config.k8s.io/')) return { objects: [], problems: [] };
  const problem = isManifest(object)
    ? undefined
    : 'is no Kubernetes object: apiVersion, kind and metadata.name are needed';
  if (problem !== undefined) {
    return { objects: [], problems: [problemAt(source, nodeAt(source, path), problem)] };
  }
  const lineOf = (field: string): number => lineOfNode(source, nodeAt(source, [...path, ...stepsOf(field)]));
  const manifest = {
    object: withoutValues(object as ManifestObject),
    file: source.file,
    line: lineOfNode(source, nodeAt(source, path)),
    lineOf,
  };
  return { objects: [manifest], problems: [] };
}

function isManifest({ apiVersion, kind, metadata }: Readonly<Record<string, unknown>>): boolean {
  const { name } = loose(metadata);
  return [apiVersion, kind, name].every((text) => typeof text === 'string' && text !== '');
}

/**
 * A Secret with its keys, and nothing that could hold a value: an annotation of kubectl repeats the whole object.
 */
function withoutValues(object: ManifestObject): ManifestObject {
  if (object.kind !== 'Secret') return object;
  const { apiVersion, kind, metadata } = object;
  const keys = [...Object.keys(loose(object.data)), ...Object.keys(loose(object.stringData))];
  return {
    apiVersion,
    kind,
    metadata: {
      name: metadata.name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    },
    data: Object.fromEntries(keys.map((key) => [key, ''])),
  };
}

type Path = readonly (string | number)[];

/** The steps of a field as problems name it. */
function stepsOf(field: string): Path {
  return [...field.matchAll(/\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/g)].map(
    ([, index, quoted, name]) => (index === undefined ? (quoted ?? name ?? '') : Number(index)),
  );
}

/** The key or item at the end of a path, or the last on the way to it that is there. */
function nodeAt({ document, yaml }: Source, path: Path): Node | null {
  let at: Node | null = document.contents;
  let inside: unknown = document.contents;
  for (const step of path) {
    const next = stepInto(yaml, inside, step);
    if (next === undefined) break;
    if (yaml.isNode(next.at)) at = next.at;
    inside = yaml.isAlias(next.value) ? next.value.resolve(document) : next.value;
  }
  return at;
}

function stepInto(
  yaml: YamlModule,
  inside: unknown,
  step: string | number,
): { readonly at: unknown; readonly value: unknown } | undefined {
  if (yaml.isSeq(inside) && typeof step === 'number') {
    const item = inside.items[step];
    return item === undefined ? undefined : { at: item, value: item };
  }
  const pair = yaml.isMap(inside) ? inside.items.find(({ key }) => String(key) === step) : undefined;
  return pair === undefined ? undefined : { at: pair.key, value: pair.value };
}

function lineOfNode({ lines }: Source, node: Node | null): number {
  return Math.max(lines.linePos(node?.range?.[0] ?? 0).line, 1);
}

function problemAt({ file, lines }: Source, node: Node | null, message: string): ManifestProblem {
  const { line, col } = lines.linePos(node?.range?.[0] ?? 0);
  return { file, line: Math.max(line, 1), column: Math.max(col, 1), message };
}

function loose(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
