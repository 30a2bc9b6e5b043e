import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { configOf, folderOf, send, setStage } from '../agent/support.ts';
import { installAgent, PACKAGES, startAgent } from './agent-process.ts';
import { type Ended, ended } from './ended.ts';

/** Runs a command that is interrupted at once. */
const interrupted = (...argv: readonly string[]): Promise<Ended> => ended(argv, '', Promise.resolve());

test('SIGTERM ends a process that has served, with exit code 0', { timeout: 60_000 }, async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const config = folderOf(configOf(stage, [calendar], { share_tools: true }));
  const { child, started, exit } = startAgent(installAgent(), [
    ...['--filepath', config, '--port', '0', '--json'],
  ]);

  const first = JSON.parse(await started);
  expect(first).toMatchObject({
    event: 'start',
    name: 'team/assistant',
    url: expect.stringMatching(/:\d+$/),
  });
  const { status, body } = await send(first, await stage.token('alice'));
  expect([status, body.result.status.state]).toEqual([200, 'completed']);
  child.kill('SIGTERM');

  const warning = {
    event: 'warning',
    message: expect.stringContaining('config.json: share_tools: is not implemented'),
  };
  const { code, out, err } = await exit;
  expect([code, JSON.parse(err)]).toEqual([0, warning]);
  expect(out.split('\n').slice(1)).toEqual(['{"event":"stop"}', '']);
  expect(calendar.openSessions).toBe(0);
});

test.each([
  ['@google', 'an agent server needs the package @google/adk: npm install @google/adk'],
  ['@a2a-js', 'an agent server needs the package @a2a-js/sdk: npm install @a2a-js/sdk'],
  [
    '@modelcontextprotocol',
    'an agent with MCP servers needs the package @modelcontextprotocol/client: npm install @modelcontextprotocol/client',
  ],
  ['zod', 'this command needs the package zod: npm install zod'],
])('without %s it says what to install', { timeout: 60_000 }, async (missing, message) => {
  const folder = installAgent(PACKAGES.filter((name) => name !== missing));
  const config = folderOf({
    model: { type: 'scripted', model: 'script', turns: [] },
    http_tools: [{ name: 'calendar', params: { url: 'http://127.0.0.1:9/mcp' } }],
    authentication: { mode: 'anonymous' },
  });

  const exited = await startAgent(folder, ['--filepath', config]).exit;

  expect(exited).toEqual({ code: 1, out: '', err: `onbehalf agent: ${message}\n` });
});

test('the text at start says where it is and how to ask it, the one at the end that it has stopped', async () => {
  const stage = await setStage();
  const folder = folderOf(configOf(stage, []));

  const { code, out, err } = await interrupted('agent', '--filepath', folder, '--port', '0');

  expect([code, err]).toEqual([0, '']);
  const url = /A2A \(JSON-RPC\) +(http:\/\/127\.0\.0\.1:\d+)\/\n/.exec(out)?.[1];
  expect(out).toContain('Agent            team/assistant\n');
  expect(out).toContain(`Agent card       ${url}/.well-known/agent-card.json\n`);
  expect(out).toContain(`curl -s ${url}/ -H "authorization: Bearer $TOKEN"`);
  expect(out).toMatch(/Stopping: .*\nStopped\.\n$/);
});

test('a wrong config is told by path, with exit code 1', async () => {
  const folder = folderOf({ model: null, authentication: { mode: 'anonymous' } });

  const { code, out, err } = await interrupted('agent', '--filepath', folder);

  expect([code, out]).toEqual([1, '']);
  expect(err).toMatch(/^onbehalf agent: .*config\.json is wrong:\n {2}model: is null, /);
});

test.each([
  [[], '--filepath is missing'],
  [['--filepath', '.', '--port', '99999'], '--port must be a number from 0 to 65535, not "99999"'],
  [['--verbose'], "Unknown option '--verbose'"],
])('arguments %j are wrong, with exit code 2', async (argv, message) => {
  const { code, out, err } = await interrupted('agent', ...argv);

  expect([code, out]).toEqual([2, '']);
  expect(err).toContain(message);
  expect(err).toContain('Run "onbehalf agent --help"');
});

test('a folder that is not there and a port in use are told, with exit code 1', async () => {
  const busy = createServer();
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void busy.close());
  const { port } = busy.address() as AddressInfo;
  const folder = folderOf(configOf(await setStage(), []));

  const none = await interrupted('agent', '--filepath', '/no/such/folder');
  const used = await interrupted('agent', '--filepath', folder, '--port', String(port));

  expect([none.code, none.err]).toEqual([
    1,
    'onbehalf agent: --filepath /no/such/folder is no folder that can be read\n',
  ]);
  expect([used.code, used.err]).toEqual([
    1,
    `onbehalf agent: port ${port} of 127.0.0.1 is in use: choose another by --port or --admin-port, or 0 for a free one\n`,
  ]);
});

test('the example of the help is a config that can be read', async () => {
  const { code, out } = await interrupted('agent', '--help');
  const example = out.slice(out.indexOf('  {\n    "name"'), out.indexOf('\n  }\n') + 5);

  expect(code).toBe(0);
  const config = JSON.parse(example);
  const folder = folderOf(config);
  const { loadAgentFolder } = await import('../../src/agent/load-config.ts');
  expect((await loadAgentFolder(folder)).warnings).toEqual([]);
});
