import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readRuntimeConfig } from '../../src/config/read-config.ts';
import { type Ended, ended } from './ended.ts';
import { DEMO, filesOf, KAGENT, WRONG } from './manifests.ts';

const compile = (argv: readonly string[], input?: string): Promise<Ended> =>
  ended(['compile', ...argv], input);

test('S10 manifests in, config.json and agent-card.json out', async () => {
  const directory = await filesOf({ 'demo.yaml': DEMO });
  const { code, out, err } = await compile(['-f', join(directory, 'demo.yaml')]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const files = JSON.parse(out) as Record<string, Record<string, unknown>>;
  expect(Object.keys(files)).toEqual(['config.json', 'agent-card.json']);
  const { config } = readRuntimeConfig(files['config.json']);
  expect(
    config?.http_tools.map(({ name, sts_audience, token_exchange }) => [
      name,
      sts_audience ?? token_exchange,
    ]),
  ).toEqual([
    ['demo/calendar', 'calendar'],
    ['demo/mail', { audiences: ['mail-of-assistant'], scopes: ['mail:read'] }],
  ]);
  expect(files['agent-card.json']?.name).toBe('assistant');
});

test('a directory, several files, and standard input are read as one set', async () => {
  const [tokenService = '', ...others] = DEMO.split('---\n');
  const directory = await filesOf({
    'b.json': JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [] }),
    'a.yml': others.slice(0, -1).join('---\n'),
    'notes.txt': 'not: [read',
    'more/c.yaml': 'not: [read either',
  });
  const agent = await filesOf({ 'agent.yaml': others.at(-1) ?? '' });
  const expected = await compile(['-f', '-'], DEMO);
  const { code, out, err } = await compile(
    ['-f', directory, '--file', '-', join(agent, 'agent.yaml')],
    tokenService,
  );
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toBe(expected.out);
});

test('--json tells all that the pods need', async () => {
  const { code, out } = await compile(['--json', '-f', '-'], DEMO);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject([
    {
      agent: 'demo/assistant',
      config: { name: 'demo/assistant' },
      mounts: [{ kind: 'Secret', name: 'client', key: 'secret' }],
      tokens: [{ audience: 'https://sts.example.com' }],
      targets: [{ server: 'demo/calendar' }, { server: 'demo/mail' }],
    },
  ]);
});

test('--output writes two files per Agent, and prints their paths', async () => {
  const directory = await filesOf({});
  const other = DEMO.slice(DEMO.lastIndexOf('apiVersion')).replace('name: assistant', 'name: helper');
  const { code, out, err } = await compile(['--output', directory, '-f', '-'], `${DEMO}---\n${other}`);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const paths = ['assistant', 'helper'].flatMap((name) =>
    ['config.json', 'agent-card.json'].map((file) => join(directory, 'demo', name, file)),
  );
  expect(out.trim().split('\n')).toEqual(paths);
  expect((await readdir(join(directory, 'demo'))).sort()).toEqual(['assistant', 'helper']);
  const config = JSON.parse(await readFile(join(directory, 'demo/helper/config.json'), 'utf8')) as {
    name: string;
  };
  expect(config.name).toBe('demo/helper');
});

test('every problem is one line: file, line, object, field, and what to do; and the code is 1', async () => {
  const directory = await filesOf({ 'wrong.yaml': WRONG });
  const file = join(directory, 'wrong.yaml');
  const { code, out, err } = await compile(['-f', file]);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err.trim().split('\n')).toEqual([
    `${file}:10: Agent demo/wrong: spec.declarative.tools[0].mcpServer.name: there is no RemoteMCPServer demo/nowhere: create it, or name another one`,
    `${file}:6: Agent demo/wrong: spec.declarative.modelConfig: there is no ModelConfig demo/gone: create it, or name another one`,
    expect.stringContaining(`${file}:4: Agent demo/wrong: spec.authentication.issuers: callers are known by`),
  ]);
});

test('a wrong Agent does not keep a right one from being written', async () => {
  const directory = await filesOf({});
  const { code, out, err } = await compile(['--output', directory, '-f', '-'], `${DEMO}---\n${WRONG}`);
  expect(code).toBe(1);
  expect(out).toContain(join('demo', 'assistant', 'config.json'));
  expect(err).toContain('standard input:');
  expect(err).toContain('Agent demo/wrong');
});

test('--agent compiles one of several', async () => {
  const both = `${DEMO}---\n${WRONG}`;
  const { code, out, err } = await compile(['--agent', 'demo/assistant', '-f', '-'], both);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(JSON.parse(out)).toMatchObject({ 'config.json': { name: 'demo/assistant' } });
});

test('several Agents do not fit on standard output, and the ways out are named', async () => {
  const { code, out, err } = await compile(
    ['-f', '-'],
    `${DEMO}---\n${DEMO.slice(DEMO.lastIndexOf('apiVersion')).replace('assistant', 'helper')}`,
  );
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain('demo/assistant, demo/helper');
  expect(err).toContain('--output');
});

test.each([
  [['--agent', 'demo/gone', '-f', '-'], DEMO, 1, 'no Agent "demo/gone": they have demo/assistant'],
  [['-f', '-'], '', 1, 'no Agent of onbehalf.dev or kagent.dev'],
  [['-f', '/nowhere/at/all.yaml'], '', 1, 'Cannot read /nowhere/at/all.yaml: there is no such file'],
  [[], '', 2, '-f FILE'],
  [['--agent', 'assistant', '-f', '-'], DEMO, 2, '--agent must be NAMESPACE/NAME'],
  [['--json', '--output', 'x', '-f', '-'], DEMO, 2, 'leave out --json'],
  [['--what'], '', 2, '--what'],
] as const)('%j ends with a hint', async (argv, input, expected, hint) => {
  const { code, out, err } = await compile(argv, input);
  expect({ code, out }).toEqual({ code: expected, out: '' });
  expect(err).toContain(hint);
});

test('an empty directory is a mistake of the user', async () => {
  const directory = await filesOf({ 'notes.txt': 'x' });
  const { code, err } = await compile(['-f', directory]);
  expect(code).toBe(1);
  expect(err).toContain('has no files .yaml, .yml or .json');
});

test('a file that is no YAML is a problem with line and column, and the rest is compiled', async () => {
  const directory = await filesOf({ 'bad.yaml': 'a: 1\na: 2\n', 'demo.yaml': DEMO });
  const { code, out, err } = await compile(['-f', directory]);
  expect(code).toBe(1);
  expect(err).toBe(`${join(directory, 'bad.yaml')}:2:1: this key is given twice in its mapping\n`);
  expect(JSON.parse(out)).toHaveProperty(['config.json']);
});

test('an object that is given twice is a problem that names both places', async () => {
  const directory = await filesOf({
    'a.yaml': DEMO,
    'b.yaml': `# again\n${DEMO.slice(DEMO.lastIndexOf('apiVersion'))}`,
  });
  const { code, err } = await compile(['-f', directory]);
  expect(code).toBe(1);
  expect(err).toContain(
    `${join(directory, 'b.yaml')}:2: Agent demo/assistant is given twice, first at ${join(directory, 'a.yaml')}:37:`,
  );
});

test('manifests of kagent are compiled as they are', async () => {
  const { code, out, err } = await compile(['--agent', 'demo/clerk', '-f', '-'], `${DEMO}---\n${KAGENT}`);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(JSON.parse(out)).toMatchObject({
    'config.json': { http_tools: [{ name: 'demo/files', tools: ['read'], sts_audience: 'files' }] },
  });
});

test('a problem of a kagent manifest has its line too', async () => {
  const wrong = KAGENT.replace('name: files, toolNames', 'name: gone, toolNames');
  const { code, err } = await compile(['--agent', 'demo/clerk', '-f', '-'], `${DEMO}---\n${wrong}`);
  expect(code).toBe(1);
  expect(err).toMatch(
    /^standard input:\d+: Agent demo\/clerk: spec\.declarative\.tools\[0\]\.mcpServer\.name: /,
  );
});

test('a kustomization beside the manifests is not looked at', async () => {
  const kustomization =
    'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [demo.yaml]\n';
  const directory = await filesOf({ 'demo.yaml': DEMO, 'kustomization.yaml': kustomization });
  const { code, err } = await compile(['-f', directory]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
});

test('no value of a Secret is printed or written', async () => {
  const directory = await filesOf({});
  const runs = [
    await compile(['-f', '-'], DEMO),
    await compile(['--json', '-f', '-'], DEMO),
    await compile(['--output', directory, '-f', '-'], DEMO),
    await compile(['-f', '-'], DEMO.replace('stringData: {', 'stringData: { x: planted-secret-value, x:')),
    await compile(['-f', '-'], DEMO.replace('key: secret', 'key: gone')),
  ];
  const written = await readFile(join(directory, 'demo/assistant/config.json'), 'utf8');
  expect(JSON.stringify([runs, written])).not.toContain('planted-secret-value');
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 1, 1]);
});

test('--help teaches by examples', async () => {
  const { code, out, err } = await compile(['--help']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toContain('Usage: onbehalf compile -f FILE...');
  expect(out).toContain('--output config');
});
