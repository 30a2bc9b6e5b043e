import { readdirSync } from 'node:fs';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { codeBlocksOf, readText as read, regionsOf } from './support/regions.ts';

const union = (name: string): readonly string[] => {
  const members = new RegExp(`export type ${name} =([^;]+);`).exec(read('src/core/errors.ts'))?.[1] ?? '';
  return [...members.matchAll(/'(\w+)'/g)].map(([, member = '']) => member);
};
const CODES = union('ErrorCode');
const CLASSES = union('FailureClass');

it.each(['examples/quickstart/assistant.ts', 'examples/any-client/call-as.ts'])(
  'shows %s as it is compiled and run',
  (path) => {
    const example = regionsOf(path);
    expect(example).toBeTruthy();
    expect(codeBlocksOf('README.md').find(({ region }) => region === path)?.code).toBe(example);
  },
);

/** Code, class and whether it may be retried, of each row of the page's table of codes. */
const documented = [
  ...read('docs/errors.md').matchAll(/^\| `(?!code`)(\w+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \| [^|]+ \|$/gm),
].map(([, code = '', failure = '', retryable = '']) => ({ code, failure, retryable }));

it('documents every error code', () => {
  expect(CODES.length).toBeGreaterThan(10);
  expect(documented.map(({ code }) => code).sort()).toEqual([...CODES].sort());
});

it('documents the classes that the source gives each code, and when it may be retried', () => {
  const given = classesInSource();
  for (const { code, failure, retryable } of documented) {
    const named = failure.startsWith('any, ')
      ? CLASSES
      : CLASSES.filter((name) => failure.includes(`\`${name}\``));
    const { classes, closed } = given.get(code) as Given;
    for (const name of classes) expect(named, code).toContain(name);
    if (closed) expect([code, ...named].sort()).toEqual([code, ...classes].sort());
    const passes = named.includes('unavailable') ? (named.length > 1 ? 'if `unavailable`' : 'yes') : 'no';
    // What was sent to a server may have been done.
    expect([code, retryable]).toEqual([code, code === 'server_failed' ? 'for 429 only' : passes]);
  }
  expect([...given.values()].filter(({ closed }) => closed).length).toBeGreaterThan(15);
});

interface Given {
  readonly classes: Set<string>;
  /** Whether each place where such an error is made says its class in so many words. */
  closed: boolean;
}

/** The classes that are written where an error of a code is made. */
function classesInSource(): ReadonlyMap<string, Given> {
  const found = new Map<string, Given>(CODES.map((code) => [code, { classes: new Set(), closed: true }]));
  const files = readdirSync(new URL('../src', import.meta.url), { recursive: true }).map(String);
  for (const file of files.filter((name) => name.endsWith('.ts'))) {
    const source = ts.createSourceFile(file, read(`src/${file}`), ts.ScriptTarget.Latest, true);
    const visit = (node: ts.Node): void => {
      const [code, options] = codeAndOptions(node);
      if (code && options) {
        const plain = /failure: '\w+'|failure: [^?,]+\? '\w+' : '\w+'/.test(options.getText());
        for (const name of literalsOf(code, CODES)) {
          const given = found.get(name) as Given;
          for (const each of literalsOf(options, CLASSES)) given.classes.add(each);
          given.closed &&= plain;
        }
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return found;
}

/** Of `new OnbehalfError(code, message, options)`, and of `[code, options]` that is made one later. */
function codeAndOptions(node: ts.Node): readonly (ts.Node | undefined)[] {
  if (ts.isNewExpression(node) && node.expression.getText() === 'OnbehalfError') {
    return [node.arguments?.[0], node.arguments?.[2]];
  }
  if (!ts.isArrayLiteralExpression(node)) return [];
  const [code, options] = node.elements;
  return options && ts.isObjectLiteralExpression(options) ? [code, options] : [];
}

function literalsOf(node: ts.Node, among: readonly string[]): readonly string[] {
  const own = ts.isStringLiteral(node) && among.includes(node.text) ? [node.text] : [];
  const below: string[] = [];
  ts.forEachChild(node, (child) => void below.push(...literalsOf(child, among)));
  return [...own, ...below];
}
