import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lineage, STAGES, stage, valuesOf } from './dockerfile.ts';
import { ROOT } from './manifests.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

it('knows every instruction, and gives every stage a name', () => {
  const words = STAGES.flatMap(({ steps }) => steps.map(({ word }) => word));
  expect([...new Set(words)].sort()).toEqual([
    'COPY',
    'ENTRYPOINT',
    'ENV',
    'EXPOSE',
    'RUN',
    'USER',
    'WORKDIR',
  ]);
  expect(STAGES.map(({ name }) => name)).not.toContain('');
});

it('copies what is there, from here or from a stage before', () => {
  const copies = STAGES.flatMap(({ steps }, index) =>
    steps.filter(({ word }) => word === 'COPY').map(({ rest }) => ({ index, rest })),
  );
  expect(copies.length).toBeGreaterThan(6);
  const ignored = read('.dockerignore');
  for (const { index, rest } of copies) {
    const [, source] = /^--from=(\S+) /.exec(rest) ?? [];
    if (source !== undefined) {
      expect(STAGES.slice(0, index).map(({ name }) => name)).toContain(source);
      continue;
    }
    for (const path of rest.split(' ').slice(0, -1)) {
      expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
      const kept = path.startsWith('tsconfig.') ? '!tsconfig.*.json' : `!${path}`;
      expect(ignored.split('\n'), path).toContain(kept);
    }
  }
});

it.each(['controller', 'agent'])(
  'the image of the %s runs that command, as nobody, on a base without a shell',
  (name) => {
    expect(valuesOf(name, 'ENTRYPOINT')).toEqual([
      `["/nodejs/bin/node", "/app/dist/cli/main.js", "${name}"]`,
    ]);
    expect(valuesOf(name, 'USER')).toEqual(['65532:65532']);
    expect(lineage(name)[0]?.from).toMatch(/^gcr\.io\/distroless\/nodejs24-debian12:nonroot$/);
    expect(valuesOf(name, 'RUN')).toEqual([]);
    expect(valuesOf(name, 'WORKDIR')).toEqual(['/app']);
  },
);

it('installs from the lock file only, and runs no script of a package', () => {
  const installs = STAGES.flatMap(({ name }) => valuesOf(name, 'RUN'))
    .join(' && ')
    .split('&&')
    .filter((one) => one.includes('npm '));
  expect(installs.length).toBe(3);
  for (const command of installs)
    expect(command).toMatch(/^ ?npm ci (--omit=dev )?--ignore-scripts --loglevel=notice ?$/);
});

/** What a stage asks keep-peers.mjs for. */
const peersOf = (name: string): readonly string[] =>
  /keep-peers\.mjs (.*?) +&&/
    .exec(
      stage(name)
        .steps.map(({ rest }) => rest)
        .join('\n'),
    )?.[1]
    ?.split(' ') ?? [];

it.each(['controller-packages', 'agent-packages'])('%s names only peers of ours', (name) => {
  const { peerDependencies } = JSON.parse(read('package.json'));
  expect(peersOf(name).length).toBeGreaterThan(2);
  expect(peersOf(name).filter((peer) => !(peer in peerDependencies))).toEqual([]);
});

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'onbehalf-image-'));
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

it('makes dependencies of the peers that it is told, in the versions that are tested', () => {
  const before = JSON.parse(read('package.json'));
  const keepPeers = (...names: readonly string[]): ReturnType<typeof spawnSync> => {
    writeFileSync(join(scratch, 'package.json'), JSON.stringify(before));
    return spawnSync(process.execPath, [join(ROOT, 'deploy/image/keep-peers.mjs'), ...names], {
      cwd: scratch,
      encoding: 'utf8',
    });
  };
  expect(keepPeers('zod', 'yaml').status).toBe(0);
  const after = JSON.parse(readFileSync(join(scratch, 'package.json'), 'utf8'));
  const { zod, yaml } = before.devDependencies;
  expect(after.dependencies).toEqual({ ...before.dependencies, zod, yaml });
  for (const member of ['devDependencies', 'peerDependencies', 'peerDependenciesMeta']) {
    expect(after[member]).not.toHaveProperty('zod');
    expect(after[member]).toHaveProperty(['@google/adk']);
  }
  const wrong = keepPeers('no-such-package');
  expect([wrong.status, String(wrong.stderr)]).toEqual([
    1,
    expect.stringContaining('no development dependency no-such-package'),
  ]);
});
