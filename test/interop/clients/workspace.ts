// A folder in which the examples and the isolation suite are at home: the frameworks are found above it, and the
// package is in it as `npm install onbehalf` would put it there, built.
import { randomUUID } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Frameworks } from './server.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Its TypeScript, which is run as it is. */
const SOURCES = ['examples/clients', 'test/isolation', 'test/interop/clients/isolation'];

export interface Workspace {
  readonly folder: string;
  remove(): Promise<void>;
}

/** Makes the folder, within that of the frameworks. */
export async function makeWorkspace({ folder: frameworks }: Frameworks): Promise<Workspace> {
  const folder = join(frameworks, `workspace-${randomUUID()}`);
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await installPackage(join(folder, 'node_modules/onbehalf'));
    for (const path of SOURCES) await cp(join(root, path), join(folder, path), { recursive: true });
    await standInForSources(folder);
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(await compilerOptions()));
    return { folder, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function installPackage(to: string): Promise<void> {
  for (const path of ['dist', 'package.json'])
    await cp(join(root, path), join(to, path), { recursive: true });
}

/** What is imported from `src` in the repository is here that of the package: there must not be two of it. */
async function standInForSources(folder: string): Promise<void> {
  const text = await readFile(join(root, 'package.json'), 'utf8');
  const { exports } = JSON.parse(text) as {
    exports: Readonly<Record<string, { readonly default?: string }>>;
  };
  for (const [entry, { default: built }] of Object.entries(exports)) {
    if (built === undefined) continue;
    const path = join(folder, built.replace('./dist/', 'src/').replace(/\.js$/, '.ts'));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `export * from '${join('onbehalf', entry)}';\n`);
  }
}

async function compilerOptions(): Promise<object> {
  const base = JSON.parse(await readFile(join(root, 'tsconfig.base.json'), 'utf8')) as {
    compilerOptions: object;
  };
  return {
    compilerOptions: {
      ...base.compilerOptions,
      ...{ noEmit: true, allowImportingTsExtensions: true, rewriteRelativeImportExtensions: false },
    },
    include: ['examples/clients', 'test/interop/clients/isolation'],
  };
}
