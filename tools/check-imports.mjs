// @ts-check
/**
 * One-way imports: each folder of src/ may import only the folders that the table below names.
 *
 * Biome finds the cycles. Its import rules, though, match what is written between the quotes; this resolves
 * every import (of values and types, static and dynamic) to the folder it lands in, and a folder that the
 * table does not know may import and be imported by nobody.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/**
 * Which folder may import which. A folder may always import itself; `index.ts` is src/index.ts.
 * @type {Readonly<Record<string, readonly string[]>>}
 */
export const MAY_IMPORT = {
  core: [],
  dialects: ['core'],
  broker: ['core'],
  redis: ['core', 'broker'],
  telemetry: ['core', 'broker'],
  context: ['core', 'broker'],
  mcp: ['core', 'broker', 'context'],
  adk: ['core', 'broker', 'context', 'mcp'],
  config: ['core'],
  agent: ['core', 'dialects', 'broker', 'redis', 'telemetry', 'context', 'mcp', 'adk', 'config'],
  kubernetes: ['core', 'config'],
  sts: ['core'],
  cli: [
    ...[
      'core',
      'dialects',
      'broker',
      'redis',
      'telemetry',
      'context',
      'mcp',
      'adk',
      'config',
      'agent',
      'kubernetes',
      'sts',
    ],
    'index.ts',
  ],
  'index.ts': ['core', 'broker', 'context'],
};

/**
 * @param {string} root directory that holds `src/`
 * @param {string} packageName an import by this name goes round the table, so it is refused
 * @returns {string[]} one line for each import that is not allowed, `file:line: why`
 */
export function findWrongImports(root, packageName) {
  const src = resolve(root, 'src');
  return sourceFiles(src).flatMap((file) => {
    const from = roomOf(src, file);
    const text = readFileSync(file, 'utf8');
    const at = `${relative(root, file).split(sep).join('/')}`;
    if (!Object.hasOwn(MAY_IMPORT, from)) {
      return [`${at}:1: src/${from} is not in the table of tools/check-imports.mjs: say what it may import`];
    }
    return ts.preProcessFile(text, true, true).importedFiles.flatMap(({ fileName, pos }) => {
      const why = refusal(src, file, from, fileName, packageName);
      return why === undefined ? [] : [`${at}:${text.slice(0, pos).split('\n').length}: ${why}`];
    });
  });
}

/**
 * @param {string} src
 * @param {string} file
 * @param {string} from
 * @param {string} specifier
 * @param {string} packageName
 * @returns {string | undefined}
 */
function refusal(src, file, from, specifier, packageName) {
  if (specifier === packageName || specifier.startsWith(`${packageName}/`)) {
    return `imports this package by its name ('${specifier}'): use the relative path`;
  }
  if (!specifier.startsWith('.')) return undefined;
  const target = resolve(dirname(file), specifier);
  if (!target.startsWith(src + sep)) return `imports '${specifier}', which is outside src/`;
  const to = roomOf(src, target);
  if (to === from || MAY_IMPORT[from]?.includes(to)) return undefined;
  const allowed = MAY_IMPORT[from]?.join(', ') || 'nothing of ours';
  return `${from} must not import ${to} ('${specifier}'); ${from} may import: ${allowed}`;
}

/**
 * @param {string} src
 * @param {string} file
 * @returns {string} the first step of the path below src/
 */
function roomOf(src, file) {
  return /** @type {string} */ (relative(src, file).split(sep)[0]);
}

/**
 * @param {string} src
 * @returns {string[]}
 */
function sourceFiles(src) {
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.[cm]?[jt]sx?$/.test(name))
    .map((name) => join(src, name))
    .sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wrong = findWrongImports(process.cwd(), 'onbehalf');
  for (const line of wrong) console.error(line);
  if (wrong.length > 0) console.error(`\n${wrong.length} import(s) against the one-way rule.`);
  process.exitCode = wrong.length > 0 ? 1 : 0;
}
