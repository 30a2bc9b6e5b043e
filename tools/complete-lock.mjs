// @ts-check
/**
 * Completes package-lock.json, for `npm ci` on every platform. A registry mirror can lack the binary packages
 * of platforms it does not serve; the lock file written behind it then leaves them out, and `npm ci` refuses it
 * ("Missing: ... from lock file"), or installs no binary on those platforms.
 *
 * Version and place are known: the package that wants them names each with its exact version. Platform and
 * libc are in their names. The digests are not known here, so npm takes those from the registry it installs from.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const OS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const CPU = ['arm', 'arm64', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64'];

/**
 * @param {{ packages: Record<string, any> }} lock parsed package-lock.json; entries are added in place
 * @returns {string[]} what was added, `name@version`
 */
export function completeLock(lock) {
  const { packages } = lock;
  /** @type {string[]} */
  const added = [];
  for (const [path, parent] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      const entry = platformEntry(name, version, parent);
      if (entry === undefined || isLocked(packages, path, name)) continue;
      packages[`node_modules/${name}`] = entry;
      added.push(`${name}@${version}`);
    }
  }
  lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
  return added;
}

/**
 * @param {Record<string, any>} packages
 * @param {string} path of the package that wants it
 * @param {string} name
 * @returns {boolean}
 */
function isLocked(packages, path, name) {
  return [`${path}/node_modules/${name}`, `node_modules/${name}`].some((place) =>
    Object.hasOwn(packages, place),
  );
}

/**
 * @param {string} name such as `@biomejs/cli-linux-x64-musl`
 * @param {string} version
 * @param {{ dev?: boolean }} parent
 * @returns {object | undefined} undefined where the name tells no platform, or the version is a range
 */
function platformEntry(name, version, parent) {
  const words = name.split(/[/-]/);
  const os = OS.find((word) => words.includes(word));
  const cpu = CPU.find((word) => words.includes(word));
  if (!os || !cpu || !/^\d+\.\d+\.\d+$/.test(version)) return undefined;
  const libc = words.includes('musl') ? ['musl'] : words.includes('gnu') ? ['glibc'] : undefined;
  return {
    version,
    cpu: [cpu],
    ...(parent.dev && { dev: true }),
    ...(libc && { libc }),
    optional: true,
    os: [os],
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const added = completeLock(lock);
  if (added.length > 0) writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
  for (const name of added) console.log(`added ${name}`);
}
