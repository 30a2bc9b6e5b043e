// @ts-check
/**
 * The packed package as its users have it: installed into an empty folder, beside the packages that `onbehalf agent` needs. What
 * docs/agent.md promises is then tried with it: examples/agent is served, and acts for alice.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

/** What has to be installed beside it for `onbehalf agent`, and for `onbehalf sts`. */
const PEERS = ['zod', '@a2a-js/sdk', '@google/adk', '@modelcontextprotocol/client', 'oidc-provider'];
/** How long npm may take, and how long everything after that, in milliseconds. */
const INSTALL_MS = 300_000;
const SERVE_MS = 60_000;
const EXAMPLE = 'examples/agent';
const SERVERS = [
  { name: 'calendar', port: 9401, tool: 'list_events' },
  { name: 'mail', port: 9402, tool: 'search_mail' },
];

/**
 * @param {string} tarball path
 * @param {string} root directory of the repository, built
 * @returns {Promise<string[]>} problems, one line each
 */
export async function checkInstalled(tarball, root) {
  const scratch = mkdtempSync(join(tmpdir(), 'onbehalf-installed-'));
  /** @type {(() => Promise<unknown>)[]} in the order to end in */
  const ends = [];
  try {
    writeFileSync(join(scratch, 'package.json'), '{ "private": true }\n');
    install(scratch, tarball);
    const problems = withoutPeers(scratch, join(root, EXAMPLE));
    const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    install(scratch, ...PEERS.map((name) => `${name}@${devDependencies[name]}`));
    const signal = AbortSignal.timeout(SERVE_MS);
    return [...problems, ...(await tryExample({ scratch, root, signal, ends }))];
  } catch (error) {
    return [`the installed package: ${error instanceof Error ? error.message : error}`];
  } finally {
    for (const end of ends) await end();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * @param {string} folder
 * @param {...string} packages
 */
function install(folder, ...packages) {
  const args = [
    'install',
    ...['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline'],
    ...packages,
  ];
  const { status, error, stderr } = spawnSync('npm', [...args, '--loglevel=error'], {
    ...{ cwd: folder, encoding: 'utf8', timeout: INSTALL_MS, stdio: ['ignore', 'ignore', 'pipe'] },
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`could not be installed: ${stderr}`);
}

/**
 * @param {string} scratch where it is installed, and nothing else
 * @param {string} example
 */
function withoutPeers(scratch, example) {
  const { status, stderr } = spawnSync(command(scratch), ['agent', '--filepath', example], {
    ...{ encoding: 'utf8', timeout: SERVE_MS, stdio: ['ignore', 'ignore', 'pipe'] },
  });
  const named = PEERS.some((name) => stderr.includes(`needs the package ${name}: npm install ${name}\n`));
  if (status === 1 && named) return [];
  return [
    `without its peers, onbehalf agent ends with ${status} and does not say what to install: ${stderr}`,
  ];
}

/**
 * @param {{ scratch: string, root: string, signal: AbortSignal, ends: (() => Promise<unknown>)[] }} place
 * @returns {Promise<string[]>} problems
 */
async function tryExample({ scratch, root, signal, ends }) {
  const sts = await start(scratch, ['sts', '--port', '0', '--json'], signal);
  ends.unshift(sts.stop);
  /** @type {string[]} */
  const calls = [];
  const { startMcpServer } = await import(
    pathToFileURL(resolve(root, 'build/examples/demo/mcp-server.js')).href
  );
  let config = readFileSync(join(root, EXAMPLE, 'config.json'), 'utf8');
  config = config.replaceAll('http://127.0.0.1:9400', sts.event.issuer);
  for (const { name, port, tool } of SERVERS) {
    const server = await startMcpServer({
      ...{ name, audience: name, issuer: sts.event.issuer, jwksUri: sts.event.jwks_uri },
      tools: [{ ...{ name: tool, inputSchema: { type: 'object', properties: {} } }, run: seen }],
    });
    ends.unshift(() => server.close());
    config = config.replace(`http://127.0.0.1:${port}/mcp`, server.url);

    /** @type {(args: unknown, caller: { sub: string, act?: string, aud: string[] }) => string} */
    function seen(_args, { sub, act, aud }) {
      calls.push(`${name} saw ${sub} by ${act} for ${aud.join(', ')}`);
      return 'Nothing today.';
    }
  }
  const folder = join(scratch, 'agent');
  mkdirSync(folder);
  writeFileSync(join(folder, 'config.json'), config);
  writeFileSync(join(folder, 'agent-card.json'), readFileSync(join(root, EXAMPLE, 'agent-card.json')));
  const agent = await start(scratch, ['agent', '--filepath', folder, '--port', '0', '--json'], signal);
  ends.unshift(agent.stop);
  const { state, text } = await ask(
    agent.event.url,
    await tokenOf('alice', sts.event.issuer, signal),
    signal,
  );
  const code = await agent.stop();
  return [
    ...differs('the answer to alice', [state, text], ['completed', 'That is your day.']),
    ...differs(
      'what the MCP servers saw',
      calls,
      SERVERS.map(({ name }) => `${name} saw alice by assistant for ${name}`),
    ),
    ...differs('the exit code of onbehalf agent after SIGTERM', code, 0),
    ...differs('the exit code of onbehalf sts after SIGTERM', await sts.stop(), 0),
  ];
}

/**
 * @param {string} what
 * @param {unknown} is
 * @param {unknown} wanted
 * @returns {string[]}
 */
function differs(what, is, wanted) {
  const [a, b] = [JSON.stringify(is), JSON.stringify(wanted)];
  return a === b ? [] : [`the installed package: ${what} is ${a}, and should be ${b}`];
}

/**
 * Starts a command of the package; it has to print one line of JSON.
 *
 * @param {string} scratch
 * @param {string[]} args
 * @param {AbortSignal} signal ends it the hard way
 */
async function start(scratch, args, signal) {
  const child = spawn(command(scratch), args, { signal, killSignal: 'SIGKILL', cwd: scratch });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  child.on('error', (error) => {
    said += error.message;
  });
  /** @type {Promise<number | null>} */
  const exit = new Promise((done) => child.on('close', done));
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([once(lines, 'line').then(([first]) => first), exit]);
  if (typeof line !== 'string') throw new Error(`onbehalf ${args[0]} ended with ${line}: ${said}`);
  const stop = () => {
    child.kill('SIGTERM');
    return exit;
  };
  return { event: JSON.parse(line), stop };
}

/** @type {(scratch: string) => string} */
const command = (scratch) => join(scratch, 'node_modules/.bin/onbehalf');

/**
 * @param {string} sub
 * @param {string} issuer
 * @param {AbortSignal} signal
 * @returns {Promise<string>}
 */
async function tokenOf(sub, issuer, signal) {
  const url = `${issuer}/development/subject-token`;
  return (await post(url, { sub, audience: 'assistant' }, { signal })).subject_token;
}

/**
 * @param {string} url of the agent
 * @param {string} token
 * @param {AbortSignal} signal
 */
async function ask(url, token, signal) {
  const parts = [{ kind: 'text', text: 'What do I have to do today?' }];
  const message = { kind: 'message', role: 'user', messageId: 'm1', parts };
  const request = { jsonrpc: '2.0', id: 1, method: 'message/send', params: { message } };
  const headers = { authorization: `Bearer ${token}` };
  const { result, error } = await post(`${url}/`, request, { signal, headers });
  const text = result?.artifacts?.at(-1)?.parts?.at(-1)?.text;
  return { state: result?.status?.state ?? error?.message, text };
}

/**
 * @param {string} url
 * @param {unknown} body
 * @param {{ signal: AbortSignal, headers?: Record<string, string> }} options
 * @returns {Promise<any>} what was answered, as JSON
 */
async function post(url, body, { signal, headers = {} }) {
  const response = await fetch(url, {
    ...{ method: 'POST', signal, body: JSON.stringify(body) },
    headers: { 'content-type': 'application/json', ...headers },
  });
  if (!response.ok) throw new Error(`${new URL(url).pathname} was answered with ${response.status}`);
  return response.json();
}
