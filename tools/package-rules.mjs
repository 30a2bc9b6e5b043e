// @ts-check
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** What the package may weigh, packed. */
export const MAX_PACKED_BYTES = 450_000;
/** And without the programs: docs/adr/0010. */
export const MAX_LIBRARY_BYTES = 200_000;
/** The programs and what is written of them: who imports the library loads none of these. */
export const PROGRAMS = [
  ...['dist/kubernetes', 'dist/agent', 'dist/config', 'dist/cli'],
  ...['docs/kubernetes.md', 'docs/kagent.md', 'docs/agent.md', 'docs/configuration.md', 'schema'],
];
export const MAX_RUNTIME_DEPENDENCIES = 3;

/** What the README links to is packed too, or the links are dead where people read it. */
const DOCUMENTS = [
  'package.json',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'deploy/grafana/onbehalf.json',
  'docs/agent.md',
  'docs/configuration.md',
  'docs/errors.md',
  'docs/inbound.md',
  'docs/kagent.md',
  'docs/kubernetes.md',
  'docs/security.md',
  'docs/telemetry.md',
  'schema/config.schema.json',
];

/**
 * npm runs these where a package is installed, or warns of them: `prepare` too, though it runs in a clone only. Whoever
 * installs a package that handles tokens should not have to ask what they do.
 */
const INSTALL_SCRIPTS = [
  'preinstall',
  'install',
  'postinstall',
  'prepublish',
  'preprepare',
  'prepare',
  'postprepare',
];

/**
 * @param {{ size: number, files: { path: string }[] }} tarball as `npm pack --json` tells it; size in bytes
 * @param {number} librarySize the same of the package without the programs
 * @param {{ dependencies?: Record<string, string>, scripts?: Record<string, string> }} manifest package.json
 * @param {string} root directory that holds src/
 * @returns {string[]} problems, one line each
 */
export function checkContents(tarball, librarySize, manifest, root) {
  const paths = tarball.files.map(({ path }) => path);
  const dependencies = Object.keys(manifest.dependencies ?? {});
  const problems = DOCUMENTS.filter((name) => !paths.includes(name)).map((name) => `${name} is not packed`);
  for (const path of paths.filter((name) => !DOCUMENTS.includes(name))) {
    const why = refusal(path, root);
    if (why !== undefined) problems.push(`${path} is packed, but ${why}`);
  }
  for (const name of INSTALL_SCRIPTS.filter((script) => script in (manifest.scripts ?? {}))) {
    problems.push(`package.json has a script ${name}, which is for installing: use prepack`);
  }
  if (tarball.size > MAX_PACKED_BYTES) {
    problems.push(`packed size is ${tarball.size} bytes, the budget is ${MAX_PACKED_BYTES}`);
  }
  if (librarySize > MAX_LIBRARY_BYTES) {
    problems.push(
      `packed size without the programs is ${librarySize} bytes, the budget is ${MAX_LIBRARY_BYTES}`,
    );
  }
  if (dependencies.length > MAX_RUNTIME_DEPENDENCIES) {
    problems.push(
      `${dependencies.length} runtime dependencies (${dependencies.join(', ')}), the budget is ${MAX_RUNTIME_DEPENDENCIES}`,
    );
  }
  return problems;
}

/**
 * @param {string} path
 * @param {string} root
 * @returns {string | undefined}
 */
function refusal(path, root) {
  if (/^docs\/(?:adr\/\d{4}-|clients\/|identity-providers\/)[\w-]+\.md$/.test(path)) return undefined;
  const module = /^dist\/(.+?)(?:\.d\.ts|\.js)$/.exec(path)?.[1];
  if (module === undefined) return 'only the .js and .d.ts of dist/ and the documents belong there';
  if (existsSync(join(root, 'src', `${module}.ts`))) return undefined;
  return `src/${module}.ts does not exist any more: npm run clean`;
}
