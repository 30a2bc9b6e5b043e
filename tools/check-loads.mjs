// @ts-check
/**
 * What an import of the built package pulls in. Each entry point is imported in a process of its own, with a
 * recorder on everything that Node loads, ESM and CommonJS.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { entryPoints } from './package-entries.mjs';

const HEAVY = [
  '@ai-sdk',
  '@google/adk',
  '@kubernetes',
  '@modelcontextprotocol',
  '@opentelemetry',
  'ioredis',
  'iovalkey',
  'oidc-provider',
  'yaml',
];
/** Loaded at the first request to an STS. */
const LATER = ['cockatiel'];

/**
 * Packages (or scopes) that an import of the entry point must not load.
 * @type {Readonly<Record<string, readonly string[]>>}
 */
const FORBIDDEN = {
  onbehalf: [...HEAVY, ...LATER],
  'onbehalf/dialects': [...HEAVY, ...LATER],
  'onbehalf/mcp': [...HEAVY, ...LATER],
  'onbehalf/langchain': [...HEAVY, ...LATER],
  'onbehalf/redis': [...HEAVY, ...LATER],
  'onbehalf/telemetry': [...HEAVY, ...LATER],
  // A plugin extends a class of the ADK, so the ADK is there, with what it loads itself.
  'onbehalf/adk': ['oidc-provider'],
  // The API types are zod schemas, so zod is there.
  'onbehalf/kubernetes': [...HEAVY, ...LATER],
  // The ADK is there; what serves A2A comes at start-up.
  'onbehalf/agent': ['oidc-provider', '@kubernetes', '@ai-sdk'],
  'onbehalf/sts': HEAVY,
};

const recorder = new URL('./record-loads.mjs', import.meta.url).href;
const scratch = mkdtempSync(join(tmpdir(), 'onbehalf-loads-'));
try {
  for (const { specifier } of entryPoints(process.cwd())) {
    const forbidden = FORBIDDEN[specifier];
    if (forbidden === undefined) {
      fail(`${specifier} is not in the table of tools/check-loads.mjs: say what it must not load`);
      continue;
    }
    const loaded = loadedBy(specifier);
    const entry = import.meta.resolve(specifier);
    // Without this, a recorder that records nothing would pass everything.
    if (!loaded.includes(fileURLToPath(entry))) fail(`${specifier}: the recorder did not see ${entry}`);
    for (const name of forbidden) {
      const first = loaded.find((file) => file.replaceAll('\\', '/').includes(`/node_modules/${name}/`));
      if (first !== undefined) fail(`import "${specifier}" loads ${name}: ${first}`);
    }
    const packages = new Set(loaded.flatMap((file) => packageOf(file) ?? []));
    console.log(`${specifier}: ${loaded.length} files, of other packages: ${describe(packages)}`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/**
 * @param {string} specifier
 * @returns {string[]} paths of the files that Node loaded for it
 */
function loadedBy(specifier) {
  const record = join(scratch, specifier.replaceAll('/', '-'));
  execFileSync(
    process.execPath,
    ['--import', recorder, '--input-type=module', '--eval', `import ${JSON.stringify(specifier)};`],
    { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ONBEHALF_LOAD_RECORD: record } },
  );
  return [...new Set(readFileSync(record, 'utf8').split('\n').filter(Boolean))];
}

/**
 * @param {string} file
 * @returns {string | undefined}
 */
function packageOf(file) {
  return /.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(file)?.[1];
}

/**
 * @param {Set<string>} packages
 * @returns {string}
 */
function describe(packages) {
  return packages.size > 8 ? `${packages.size}` : [...packages].sort().join(', ') || 'none';
}

/** @param {string} message */
function fail(message) {
  console.error(message);
  process.exitCode = 1;
}
