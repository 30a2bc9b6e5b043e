import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Manifests, readManifests } from '../../src/kubernetes/manifests.ts';
import { expectNoLeak } from '../support/leaks.ts';

const read = (text: string): Promise<Manifests> => readManifests(text, 'a.yaml');
const namesOf = ({ objects }: Manifests): readonly string[] =>
  objects.map(({ object, file, line }) => `${file}:${line} ${object.kind} ${object.metadata.name}`);
const problemsOf = ({ problems }: Manifests): readonly string[] =>
  problems.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`);
const POD = 'apiVersion: v1\nkind: Pod\nmetadata: { name: a }\n';

test('the documents of a file are its objects, with the line they start at', async () => {
  const text = `# first\n---\n${POD}---\n\n${POD.replace('a }', 'b }')}---\n`;
  const manifests = await read(text);
  expect(manifests.problems).toEqual([]);
  expect(namesOf(manifests)).toEqual(['a.yaml:3 Pod a', 'a.yaml:8 Pod b']);
});

test('JSON is read, with lines too', async () => {
  const list = {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } },
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'b' } },
    ],
  };
  const manifests = await read(JSON.stringify(list, null, '\t'));
  expect(namesOf(manifests)).toEqual(['a.yaml:5 Pod a', 'a.yaml:12 Pod b']);
});

test.each(['', '\n', '# nothing\n', '---\n---\n', 'null'])(
  'a file of %j has no objects and no problems',
  async (text) => {
    expect(await read(text)).toEqual({ objects: [], problems: [] });
  },
);

test('a List counts as its items, also one of a kind, and one in another', async () => {
  const pod = (name: string): object => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name } });
  const inner = { apiVersion: 'v1', kind: 'PodList', items: [pod('b')] };
  const manifests = await read(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [pod('a'), inner] }));
  expect(manifests.objects.map(({ object }) => object.metadata.name)).toEqual(['a', 'b']);
});

test('what is no object of Kubernetes is a problem where it stands', async () => {
  const text = `${POD}---\nhello\n---\napiVersion: v1\nkind: List\nitems:\n  - kind: Pod\n  - ${JSON.stringify({ a: 1 })}\n`;
  const manifests = await read(text);
  expect(namesOf(manifests)).toEqual(['a.yaml:1 Pod a']);
  const what = 'is no Kubernetes object: apiVersion, kind and metadata.name are needed';
  expect(problemsOf(manifests)).toEqual([
    `a.yaml:5:1: ${what}`,
    `a.yaml:10:5: ${what}`,
    `a.yaml:11:5: ${what}`,
  ]);
});

test.each([
  ['metadata that is missing', 'apiVersion: v1\nkind: Pod\n'],
  ['a name that is missing', 'apiVersion: v1\nkind: Pod\nmetadata: { namespace: a }\n'],
  ['a name that is a number', 'apiVersion: v1\nkind: Pod\nmetadata: { name: 7 }\n'],
  ['a kind that is empty', "apiVersion: v1\nkind: ''\nmetadata: { name: a }\n"],
])('%s is a problem', async (_, text) => {
  expect(await read(text)).toMatchObject({ objects: [], problems: [{ line: 1 }] });
});

test.each([
  ['a key that is given twice', `${POD}spec: { a: 1 }\nspec: { a: 2 }\n`, 'a.yaml:5:1', 'twice'],
  ['a key that is given twice, deep', `${POD}spec:\n  a: 1\n  a: 2\n`, 'a.yaml:6:3', 'twice'],
  ['an alias of nothing', `${POD}spec: *gone\n`, 'a.yaml:4:7', 'anchor'],
  ['a bracket that is not closed', `${POD}spec: [1, 2\n`, 'a.yaml:5:1', 'bracket'],
  ['a quote that is not closed', `${POD}spec: "a\n`, 'a.yaml:', ''],
  ['a tab in the indentation', `${POD}spec:\n\ta: 1\n`, 'a.yaml:5:1', 'tab'],
])('%s is a problem with its line and column', async (_, text, place, word) => {
  const manifests = await read(text);
  expect(manifests.objects).toEqual([]);
  expect(problemsOf(manifests)[0]?.startsWith(place), String(problemsOf(manifests))).toBe(true);
  expect(manifests.problems[0]?.message).toContain(word);
});

test('one wrong document does not hide the others', async () => {
  const manifests = await read(`${POD}---\na: 1\na: 2\n---\n${POD.replace('a }', 'b }')}`);
  expect(namesOf(manifests)).toEqual(['a.yaml:1 Pod a', 'a.yaml:8 Pod b']);
  expect(manifests.problems).toHaveLength(1);
});

test('aliases that would fill the memory are refused', async () => {
  const levels = Array.from({ length: 12 }, (_, level) => {
    const value = level === 0 ? '"x"' : Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ');
    return `  a${level}: &a${level} [${value}]`;
  });
  const manifests = await read(`${POD}spec:\n${levels.join('\n')}\n`);
  expect(manifests).toMatchObject({
    objects: [],
    problems: [{ message: expect.stringContaining('aliases') }],
  });
});

test('a few aliases are read', async () => {
  const { objects } = await read(`${POD}spec:\n  a: &a { b: 1 }\n  c: *a\n  d:\n    <<: *a\n    e: 2\n`);
  expect(objects[0]?.object.spec).toEqual({ a: { b: 1 }, c: { b: 1 }, d: { b: 1, e: 2 } });
});

test('what is nested without end is a problem and no stack overflow', async () => {
  for (const text of ['['.repeat(50_000), `${POD}spec: ${'{a: '.repeat(20_000)}1${'}'.repeat(20_000)}`]) {
    const { objects, problems } = await read(text);
    expect(objects).toEqual([]);
    expect(problems.length).toBeGreaterThan(0);
  }
});

test('of a Secret only the keys are kept', async () => {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'a',
      namespace: 'demo',
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': 'planted-secret-value' },
    },
    data: { one: 'planted-secret-value' },
    stringData: { two: 'planted-secret-value' },
    type: 'planted-secret-value',
  };
  const manifests = await read(JSON.stringify(secret));
  expect(manifests.objects[0]?.object).toEqual({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'a', namespace: 'demo' },
    data: { one: '', two: '' },
  });
  expectNoLeak(manifests, ['planted-secret-value']);
});

test('problems of a file repeat nothing of it', async () => {
  const secret = 'planted-secret-value';
  const wrong = [
    `${POD}data: { a: ${secret}, a: ${secret} }`,
    `${POD}data: *${secret}`,
    `${POD}data: !${secret} x: y`,
    `${POD}data: "${secret}\\q${secret}"`,
    `${POD}data:\n  a: ${secret}\n b: ${secret}`,
    `${POD}data: ] ${secret} [ "${secret}`,
    `${POD}${secret}\n${secret}: x\n`,
    `${secret}`,
    `%${secret}\n---\n${POD}: `,
  ];
  for (const text of wrong) {
    const manifests = await read(text);
    expect(JSON.stringify(manifests.problems)).not.toContain(secret);
    if (!text.startsWith('%')) expect(manifests.problems.length, text).toBeGreaterThan(0);
  }
});

const AGENT = `apiVersion: onbehalf.dev/v1alpha1
kind: Agent
metadata:
  name: a
spec:
  declarative:
    tools:
      - type: McpServer
        mcpServer: &mail
          name: mail
          toolNames: [list,
            send]
      - type: McpServer
        mcpServer: *mail
  "odd.name": 1
`;

test.each([
  ['metadata.name', 4],
  ['spec', 5],
  ['spec.declarative.tools[0]', 8],
  ['spec.declarative.tools[0].mcpServer', 9],
  ['spec.declarative.tools[0].mcpServer.name', 10],
  ['spec.declarative.tools[0].mcpServer.toolNames[1]', 12],
  ['spec.declarative.tools[1].mcpServer.name', 10],
  ['spec["odd.name"]', 15],
  ['spec.declarative.tools[0].mcpServer.namespace', 9],
  ['spec.declarative.tools[7].mcpServer.namespace', 7],
  ['spec.tokenServiceRef.name', 5],
  ['status.conditions', 1],
  ['', 1],
])('the line of %s is %i', async (field, line) => {
  const { objects } = await read(AGENT);
  expect(objects[0]?.lineOf(field)).toBe(line);
});

test('the lines of an item of a List are those of the file', async () => {
  const indented = AGENT.split('\n')
    .map((line) => `    ${line}`)
    .join('\n')
    .slice(4);
  const { objects } = await read(`apiVersion: v1\nkind: List\nitems:\n  - ${indented.replace(/^ {4}/, '')}`);
  expect([objects[0]?.line, objects[0]?.lineOf('spec.declarative.tools[0].mcpServer.name')]).toEqual([4, 13]);
});

test('no text makes it throw, and every problem has a place', async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'a',
      ': ',
      '- ',
      '\n',
      '  ',
      '---\n',
      '[',
      ']',
      '{',
      '}',
      ',',
      '"',
      "'",
      '&a ',
      '*a',
      '!',
      '|\n',
      '#',
      '%',
      '\t',
      '? ',
    ),
    fc.constant(POD),
    fc.string({ maxLength: 4 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 20 }), async (pieces) => {
      const { objects, problems } = await read(pieces.join(''));
      for (const { line, column } of problems) expect(Math.min(line, column)).toBeGreaterThanOrEqual(1);
      for (const { line, lineOf } of objects) expect(lineOf('metadata.name')).toBeGreaterThanOrEqual(line);
    }),
    { numRuns: 500 },
  );
});
