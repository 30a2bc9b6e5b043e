import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run.ts';

const INSTALLED = '/usr/lib/jvm';

/**
 * The home of a Java that is new enough: of JAVA_HOME, of the PATH, or installed where Debian puts it. On a Debian
 * machine where we are root and there is none, it is installed.
 *
 * @throws Error that says why there is none
 */
export async function javaHome(atLeast: number): Promise<string> {
  const found = await findJava(atLeast);
  if (found !== undefined) return found;
  await installJava(atLeast);
  const installed = await findJava(atLeast);
  if (installed === undefined) throw new Error(`there is no Java ${atLeast} or later`);
  return installed;
}

async function findJava(atLeast: number): Promise<string | undefined> {
  const installed = await readdir(INSTALLED).catch(() => []);
  const commands = [
    ...(process.env.JAVA_HOME ? [join(process.env.JAVA_HOME, 'bin/java')] : []),
    'java',
    ...installed.map((name) => join(INSTALLED, name, 'bin/java')),
  ];
  for (const command of commands) {
    const settings = await run([command, '-XshowSettings:properties', '-version']).catch(() => '');
    const version = Number(/^\s*java\.specification\.version = (\d+)\s*$/m.exec(settings)?.[1]);
    const home = /^\s*java\.home = (.+?)\s*$/m.exec(settings)?.[1];
    if (home !== undefined && version >= atLeast) return home;
  }
  return undefined;
}

async function installJava(atLeast: number): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Error(`there is no Java ${atLeast} or later, and we may not install it`);
  console.error(`installing Java ${atLeast} (apt-get)`);
  const quiet = { DEBIAN_FRONTEND: 'noninteractive' };
  await run(['apt-get', 'update'], quiet);
  await run(
    ['apt-get', 'install', '-y', '--no-install-recommends', `openjdk-${atLeast}-jre-headless`],
    quiet,
  );
}
