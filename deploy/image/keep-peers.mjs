// @ts-check
/**
 * For the Dockerfile: makes dependencies of the named development dependencies in ./package.json, so that
 * `npm ci --omit=dev` installs them too, in the versions of the lock file: those that were tested.
 *
 *   node deploy/image/keep-peers.mjs zod yaml
 */
import { readFileSync, writeFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
for (const name of process.argv.slice(2)) {
  const version = manifest.devDependencies[name];
  if (version === undefined) throw new Error(`package.json has no development dependency ${name}`);
  manifest.dependencies[name] = version;
  for (const member of ['devDependencies', 'peerDependencies', 'peerDependenciesMeta']) {
    delete manifest[member]?.[name];
  }
}
writeFileSync('package.json', `${JSON.stringify(manifest, null, 2)}\n`);
