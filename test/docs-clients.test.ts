import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { codeBlocksOf, readText, regionsOf } from './support/regions.ts';

const FOLDER = 'docs/clients';
const root = fileURLToPath(new URL('..', import.meta.url));
const DOCUMENTS = readdirSync(join(root, FOLDER)).filter((name) => name.endsWith('.md'));
const PAGES = DOCUMENTS.filter((name) => name !== 'README.md');
const text = (name: string): string => readText(`${FOLDER}/${name}`);

const EXAMPLES: Readonly<Record<string, string>> = {
  'README.md': 'examples/clients/environment.ts',
  'google-adk.md': 'examples/quickstart/assistant.ts',
};
const anchorOf = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-');
const exampleOf = (name: string): string =>
  EXAMPLES[name] ?? `examples/clients/${name.replace('.md', '.ts')}`;

it('has a page for every example', () => {
  const examples = readdirSync(join(root, 'examples/clients')).filter((name) => name.endsWith('.ts'));
  expect(DOCUMENTS.map(exampleOf)).toEqual(
    expect.arrayContaining(examples.map((name) => `examples/clients/${name}`)),
  );
});

it.each(DOCUMENTS)('%s shows its example as that is compiled and run', (name) => {
  const path = exampleOf(name);
  const shown = codeBlocksOf(`${FOLDER}/${name}`).filter(({ region }) => region !== undefined);
  expect(shown).toEqual([{ region: path, code: regionsOf(path) }]);
  expect(shown[0]?.code).not.toBe('');
});

it('has no other TypeScript than what compiles', () => {
  const snippets = DOCUMENTS.flatMap((name) =>
    codeBlocksOf(`${FOLDER}/${name}`)
      .filter(({ region }) => region === undefined)
      .map(({ code }, index) => ({ path: join(root, FOLDER, `${name}-${index}.ts`), code })),
  );
  expect(snippets.length).toBeGreaterThan(2);
  const calls = "createDelegatedFetch({ broker, url, target: 'calendar', goal: 'mail' });";
  const wrong = `import { createDelegatedFetch } from 'onbehalf/mcp';\n${calls}`;
  const problems = problemsOf([...snippets, { path: join(root, FOLDER, 'wrong.ts'), code: wrong }]);
  // What is wrong on purpose shows that somebody looked.
  expect(problems).toEqual([expect.stringMatching(/wrong\.ts: .*'goal' does not exist/)]);
}, 120_000);

it.each(DOCUMENTS)('%s links only to what is there', (name) => {
  for (const [, to = '', heading] of text(name).matchAll(/\]\((?!https:)([^)#]*)(?:#([^)]*))?\)/g)) {
    const headings = [...text(to).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => anchorOf(title));
    if (heading !== undefined) expect(headings, to).toContain(heading);
  }
});

it('names every page in the index, and the versions that the suites install', () => {
  const { dependencies } = JSON.parse(readText('test/interop/clients/package.json'));
  const { devDependencies } = JSON.parse(readText('package.json'));
  const rows = text('README.md')
    .split('\n')
    .filter((line) => line.startsWith('| ['));
  expect(rows.map((row) => /\]\((.*?)\)/.exec(row)?.[1]).sort()).toEqual(PAGES.toSorted());
  for (const row of rows) {
    const [, packageName = '', version] = /`(@?[\w/-]+)` ([\d.]+)/.exec(row) ?? [];
    expect([packageName, version]).toEqual([
      packageName,
      dependencies[packageName] ?? devDependencies[packageName],
    ]);
  }
});

it.each(PAGES)(
  '%s is a page, and says how to install it, what it changes, its limits, and what is tested',
  (name) => {
    expect(text(name).split('\n').length).toBeLessThan(130);
    expect(text(name)).toMatch(/```sh\nnpm i \.\/onbehalf-0\.0\.0\.tgz/);
    for (const heading of ['What it changes', 'Mind', 'Tested'])
      expect(text(name)).toContain(`\n## ${heading}\n`);
  },
);

/** What the documents take as given. */
const GIVEN = `
declare const broker: import('onbehalf').Broker;
declare const tokenService: import('onbehalf').TokenService;
declare const calendarsOwn: import('onbehalf').TokenService;
declare const subjectToken: string;
declare const url: string;
`;

/** What the compiler says about pieces of TypeScript, as if they were files here, with the package by its name. */
function problemsOf(files: readonly { readonly path: string; readonly code: string }[]): string[] {
  const base = ts.readConfigFile(join(root, 'tsconfig.base.json'), (path) => ts.sys.readFile(path)).config;
  const { options } = ts.convertCompilerOptionsFromJson(
    {
      ...base.compilerOptions,
      ...{ noEmit: true, allowImportingTsExtensions: true, rewriteRelativeImportExtensions: false },
      paths: { onbehalf: [join(root, 'src/index.ts')], 'onbehalf/*': [join(root, 'src/*/index.ts')] },
    },
    root,
  );
  const given = join(root, FOLDER, 'given.d.ts');
  const virtual = new Map([
    [given, GIVEN],
    ...files.map(({ path, code }) => [path, `${code}\nexport {};\n`] as const),
  ]);
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => virtual.has(path) || fileExists(path);
  host.readFile = (path) => virtual.get(path) ?? readFile(path);
  host.getSourceFile = (path, language, ...rest) => {
    const code = virtual.get(path);
    return code === undefined
      ? getSourceFile(path, language, ...rest)
      : ts.createSourceFile(path, code, language);
  };
  const program = ts.createProgram({ rootNames: [...virtual.keys()], options, host });
  return [...virtual.keys()].flatMap((path) => {
    const file = program.getSourceFile(path);
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ messageText }) => `${path.slice(root.length)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    );
  });
}
