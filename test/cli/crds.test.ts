import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { customResourceDefinitions } from '../../src/kubernetes/crd/custom-resource-definition.ts';
import { temporaryDirectory } from '../support/files.ts';
import { type Ended, ended, endedInstalled, INSTALLED_MS } from './ended.ts';

const crds = (...argv: readonly string[]): Promise<Ended> => ended(['crds', ...argv]);

/** The installed command, where only these packages are installed with it. */
const installed = (dependencies: readonly string[]): Promise<Ended> =>
  endedInstalled(dependencies, ['kubernetes', 'cli'], ['crds']);

test('prints the CRDs as YAML documents, one for each kind', async () => {
  const { code, out, err } = await crds();
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(parseAllDocuments(out).map((document) => document.toJS())).toEqual(customResourceDefinitions());
  // Some readers of YAML limit anchors, and people do not follow them.
  expect(out).not.toMatch(/: [&*]\w/);
});

test('prints one List with --json', async () => {
  const { code, out } = await crds('--json');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({ apiVersion: 'v1', kind: 'List', items: customResourceDefinitions() });
});

test('writes a file for each kind with --directory, and tells which', async () => {
  const directory = join(await temporaryDirectory(), 'new', 'crds');
  const { code, out } = await crds('--directory', directory);
  expect(code).toBe(0);
  const files = (await readdir(directory)).sort();
  expect(files).toEqual(customResourceDefinitions().map(({ metadata }) => `${metadata.name}.yaml`));
  expect(out).toBe(files.map((file) => `${join(directory, file)}\n`).join(''));
  const texts = await Promise.all(files.map((file) => readFile(join(directory, file), 'utf8')));
  expect(texts.join('')).toBe((await crds()).out);
});

test('says which directory cannot be written', async () => {
  const { code, out, err } = await crds('--directory', '/dev/null/crds');
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toMatch(/^onbehalf crds: ENOTDIR.*\/dev\/null\/crds/);
});

test('the help shows how to install them', async () => {
  const { code, out } = await crds('--help');
  expect(code).toBe(0);
  expect(out).toContain('onbehalf crds | kubectl apply --server-side -f -');
  for (const option of ['--json', '--directory', '--help']) expect(out).toContain(option);
});

test.each([
  [['--yaml'], "Unknown option '--yaml'"],
  [['agents'], "Unexpected argument 'agents'"],
  [['--directory'], 'argument missing'],
  [['--json', '--directory', 'crds'], '--directory writes YAML: leave out --json, or --directory'],
])('%j is a mistake that it explains', async (argv, message) => {
  const { code, out, err } = await crds(...argv);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(message);
  expect(err).toContain('Run "onbehalf crds --help" to see the options.\n');
});

test(
  'the installed command works with zod and yaml alone',
  async () => {
    const { code, out, err } = await installed(['zod', 'yaml']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toBe((await crds()).out);
  },
  INSTALLED_MS,
);

test.each([
  [['zod'], 'onbehalf crds: Manifests are YAML, which needs the package yaml: npm install yaml\n'],
  [['yaml'], 'onbehalf crds: this command needs the package zod: npm install zod\n'],
])(
  'with %j only, the installed command names the package to install',
  async (dependencies, err) => {
    expect(await installed(dependencies)).toEqual({ code: 1, out: '', err });
  },
  INSTALLED_MS,
);
