import { cp, mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cached } from '../support/cache.ts';
import { download, mavenRepository } from '../support/download.ts';
import { run } from '../support/run.ts';

const VERSION = '26.7.3';
/** In memory: nothing is written, and nothing is left. */
const DATABASE = 'dev-mem';

/**
 * Makes a folder that Keycloak runs from, with a realm to import; downloads, unpacks and optimises Keycloak at the first
 * time. What it shares with other runs is only read. Whoever starts the server removes the folder.
 */
export async function keycloakHome(realm: object, java: string): Promise<string> {
  const optimised = await cached(`keycloak-${VERSION}-${DATABASE}`, (path) => optimise(path, java));
  const home = await mkdtemp(join(tmpdir(), 'onbehalf-keycloak-'));
  // The script is a copy because it takes the folder above itself, links resolved, for its home.
  for (const name of ['bin/kc.sh', 'conf']) {
    await cp(join(optimised, name), join(home, name), { recursive: true });
  }
  for (const name of ['lib', 'providers', 'themes']) await symlink(join(optimised, name), join(home, name));
  await mkdir(join(home, 'data/import'), { recursive: true });
  await writeFile(join(home, 'data/import/realm.json'), JSON.stringify(realm));
  return home;
}

async function optimise(path: string, java: string): Promise<void> {
  const archive = await cached(`keycloak-${VERSION}.tar.gz`, (file) => download(archiveUrl(), file));
  await mkdir(path);
  await run(['tar', '-xzf', archive, '-C', path, '--strip-components=1']);
  console.error(`optimising Keycloak ${VERSION}, once`);
  await run([join(path, 'bin/kc.sh'), 'build', `--db=${DATABASE}`], { JAVA_HOME: java });
}

function archiveUrl(): string {
  const name = 'keycloak-quarkus-dist';
  return `${mavenRepository()}/org/keycloak/${name}/${VERSION}/${name}-${VERSION}.tar.gz`;
}
