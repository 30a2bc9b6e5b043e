import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { agentSpec } from '../../src/kubernetes/api/agent.ts';
import { KINDS, type Kind } from '../../src/kubernetes/api/kinds.ts';
import { API_VERSION } from '../../src/kubernetes/api/meta.ts';
import { remoteMcpServerSpec } from '../../src/kubernetes/api/remote-mcp-server.ts';
import { filesOf, KUSTOMIZATIONS, MANIFESTS, type Manifest, parseYaml, ROOT } from './manifests.ts';

const PAGE = 'docs/kubernetes.md';
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const page = read(PAGE);
const blocksOf = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, block = '']) => block);

/** Objects of the page, and pieces of a spec. */
const [objects, pieces] = ((): readonly [readonly Manifest[], readonly Manifest[]] => {
  const all = blocksOf('yaml').flatMap((block) => parseYaml(block, PAGE));
  return [all.filter(({ kind }) => kind !== undefined), all.filter(({ kind }) => kind === undefined)];
})();

it.each(objects)('shows $kind $metadata.name as the demo has it', ({ file: _, ...shown }) => {
  expect(shown.apiVersion).toBe(API_VERSION);
  expect(KINDS[shown.kind as Kind].spec.safeParse(shown.spec).error?.issues).toBeUndefined();
  const demo = MANIFESTS.filter(({ file }) => filesOf('deploy/samples/demo').includes(file));
  const there = demo.find(
    ({ kind, metadata }) => kind === shown.kind && metadata.name === shown.metadata.name,
  );
  expect(there).toMatchObject(shown);
});

it('shows two servers, a token service and an agent, and pieces of a spec that keep the schema', () => {
  expect(objects.map(({ kind }) => kind).sort()).toEqual([
    'Agent',
    'RemoteMCPServer',
    'RemoteMCPServer',
    'TokenService',
  ]);
  expect(pieces.map((piece) => Object.keys(piece)[0])).toEqual(['tokenExchange', 'allowedNamespaces']);
  const server = { description: 'of the page', url: 'https://files.example.com/mcp' };
  for (const { file: _, ...piece } of pieces) {
    expect(remoteMcpServerSpec.safeParse({ ...server, ...piece }).error?.issues).toBeUndefined();
  }
});

/** A line that ends with a backslash goes on in the next one. */
const COMMANDS = blocksOf('sh').flatMap((block) => block.trim().split(/(?<!\\)\n/));

it.each(COMMANDS)('names nothing in "%s" that is not there', (command) => {
  const [program] = command.split(' ');
  expect(['curl', 'docker', 'kubectl', 'onbehalf']).toContain(program);
  const folders = [...command.matchAll(/ -[kf] (\S+)/g)].map(([, path = '']) => path);
  for (const path of folders) expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
  const kustomized = [...command.matchAll(/ -k (\S+)/g)].map(([, path = '']) => path);
  for (const path of kustomized) expect(KUSTOMIZATIONS).toContain(path);
  const [, target] = / --target (\S+)/.exec(command) ?? [];
  if (target !== undefined) expect(read('Dockerfile')).toContain(` AS ${target}\n`);
  const [, command_] = /^onbehalf (\w+)/.exec(command) ?? [];
  if (command_ !== undefined) expect(existsSync(join(ROOT, `src/cli/${command_}.ts`))).toBe(true);
});

it('names kinds by what the CRDs call them', () => {
  const short = Object.values(KINDS).flatMap(({ shortNames }) => shortNames);
  const used = COMMANDS.flatMap((command) => [...command.matchAll(/\bob[a-z]+\b/g)].map(([name]) => name));
  expect(used.length).toBeGreaterThan(4);
  expect(used.filter((name) => !short.includes(name))).toEqual([]);
  for (const [kind, { shortNames }] of Object.entries(KINDS)) {
    expect(page).toContain(`| \`${kind}\` | \`${shortNames[0]}\` |`);
  }
});

it('links only to what is there', () => {
  const anchorOf = (title: string): string =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-');
  const links = [...page.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)];
  expect(links.length).toBeGreaterThan(10);
  for (const [link, to = '', heading] of links) {
    const path = to === '' ? PAGE : join(dirname(PAGE), to);
    expect([link, existsSync(join(ROOT, path))]).toEqual([link, true]);
    if (heading === undefined) continue;
    const headings = [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => anchorOf(title));
    expect(headings, link).toContain(heading);
  }
});

/** The reasons of conditions, by the source: of what compiles, and of the controller. */
function reasonsInSource(): readonly string[] {
  const union = /export type ProblemReason =(.*?);/s.exec(read('src/kubernetes/compile/types.ts'))?.[1] ?? '';
  const folder = 'src/kubernetes/controller';
  const sources = readdirSync(join(ROOT, folder)).map((name) => read(`${folder}/${name}`));
  const given = sources.flatMap((source) => [
    ...source.matchAll(/\breason: '([A-Z]\w+)'/g),
    ...source.matchAll(/\bno\(\s*'([A-Z]\w+)'/g),
  ]);
  const problems = [...union.matchAll(/'(\w+)'/g)];
  expect(problems.length).toBeGreaterThan(7);
  expect(given.length).toBeGreaterThan(15);
  return [...new Set([...problems, ...given].map(([, reason = '']) => reason))].sort();
}

it('explains each reason that a condition can have, and no other', () => {
  const table = page.slice(page.indexOf('| Reason |'), page.indexOf('## Upgrade'));
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  const reasons = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, reason = '']) => reason),
  );
  expect(reasons.toSorted()).toEqual(reasonsInSource());
  for (const row of rows) expect(row.split('|').length, row).toBe(5);
});

it('tells of every field that tokens are made for, of every mode, and of both overlays', () => {
  const { tokenExchange } = remoteMcpServerSpec.parse({
    description: '',
    url: 'https://a.example.com',
    ...(pieces[0] && { tokenExchange: pieces[0].tokenExchange }),
  });
  for (const field of Object.keys(tokenExchange ?? {})) expect(page).toContain(`\`${field}\``);
  for (const mode of ['JWT', 'TrustedProxy', 'Anonymous']) {
    expect(page).toContain(`| \`${mode}\``);
    const spec = { type: 'BYO', byo: { deployment: { image: 'a' } }, authentication: { mode } };
    expect(agentSpec.safeParse(spec).success).toBe(true);
  }
  for (const overlay of ['cluster', 'namespaced']) expect(page).toContain(`deploy/overlays/${overlay}`);
});
