import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { onTestFinished } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDERS = ['core', 'sts', 'cli'];

/**
 * The package as a user would have it installed, in a folder of its own: for what only a process of its own
 * can show (the first import, signals, exit codes). Transpiles the source, so that no build has to run first.
 *
 * @param dependencies - the packages, or scopes of packages, that are installed beside it
 * @param folders - those of `src` that are needed
 */
export function installPackage(
  dependencies: readonly string[],
  folders: readonly string[] = FOLDERS,
): string {
  const folder = mkdtempSync(join(tmpdir(), 'onbehalf-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  mkdirSync(join(folder, 'node_modules'));
  for (const name of dependencies) {
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
  for (const name of folders) transpile(join(ROOT, 'src', name), join(folder, 'dist', name));
  return folder;
}

/** Runs an ES module given as text, in the package's folder. */
export function runScript(
  folder: string,
  script: string,
): Promise<{ stdout: string; stderr: string; code: number }> {
  return new Promise((resolve) => {
    const args = ['--input-type=module', '--eval', script];
    execFile(process.execPath, args, { cwd: folder, timeout: 10_000 }, (error, stdout, stderr) => {
      resolve({ stdout, stderr, code: error === null ? 0 : Number(error.code) });
    });
  });
}

function transpile(from: string, to: string): void {
  for (const entry of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('.ts')) continue;
    const target = join(to, entry.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    const compilerOptions: ts.CompilerOptions = {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    };
    writeFileSync(
      target,
      ts.transpileModule(readFileSync(join(from, entry), 'utf8'), { compilerOptions }).outputText,
    );
  }
}
