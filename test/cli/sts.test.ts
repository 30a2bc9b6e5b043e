import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { createDevelopmentSts } from '../../src/sts/index.ts';
import { installPackage } from '../sts/package.ts';

interface Session {
  readonly out: () => string;
  readonly err: () => string;
  readonly exit: Promise<number>;
  /** Waits until standard output holds the text. */
  shows(text: string): Promise<string>;
  interrupt(): void;
}

/** Runs the command line in this process, as `main.ts` would. */
function start(...argv: string[]): Session {
  let out = '';
  let err = '';
  let notify = (): void => {};
  let interrupt = (): void => {};
  const interrupted = new Promise<void>((resolve) => {
    interrupt = resolve;
  });
  onTestFinished(() => interrupt());
  const exit = run(argv, {
    out: (text) => {
      out += text;
      notify();
    },
    err: (text) => {
      err += text;
    },
    interrupted: () => interrupted,
  });
  const shows = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      notify = () => out.includes(text) && resolve(out);
      notify();
      exit.then(() => reject(new Error(`ended without showing ${text}: ${out}${err}`)), reject);
    });
  return { out: () => out, err: () => err, exit, shows, interrupt };
}

async function ended(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const session = start(...argv);
  return { code: await session.exit, out: session.out(), err: session.err() };
}

function configFile(content: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), 'onbehalf-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'sts.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

/** Runs what the start text offers to copy, in a shell; returns the last answer. */
function shell(commands: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = '';
    const child = spawn('sh', ['-euc', commands], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.on('error', reject);
    child.on('close', () => resolve(out));
  });
}

const CONFIG = {
  clients: [
    {
      clientId: 'assistant',
      authentication: 'client_secret_post',
      clientSecret: 'hush-hush',
      audiences: ['https://mcp.example.com/mail'],
    },
  ],
  users: [{ sub: "o'hara" }],
};

test('the start text is loud about development and names what there is', async () => {
  const session = start('sts', '--port', '0');
  const text = await session.shows('Ctrl-C');
  expect(text).toContain('FOR DEVELOPMENT ONLY');
  expect(text).toMatch(/Issuer +http:\/\/127\.0\.0\.1:\d+\n/);
  expect(text).toMatch(/Token endpoint +http:\/\/127\.0\.0\.1:\d+\/token\n/);
  expect(text).toContain('agent (client_secret_basic secret agent-development-secret)');
  expect(text).toContain('calendar, files, billing');
  expect(text).toMatch(/Users +alice, bob\n/);
});

test('the commands it offers work as they are, and each exchange is logged without its token', async () => {
  const session = start('sts', '--port', '0');
  const text = await session.shows('Ctrl-C');
  const commands = text
    .slice(text.indexOf('  SUBJECT_TOKEN='), text.indexOf('Ctrl-C'))
    .replace(/^Exchange.*$/m, '');

  const answer = JSON.parse(await shell(commands)) as Record<string, string>;

  expect(answer).toMatchObject({ token_type: 'Bearer', expires_in: expect.any(Number) });
  const log = (await session.shows('issued 200')).slice(text.length);
  expect(log).toMatch(/^\S+Z issued 200: alice by agent for calendar\n$/);
  expect(log).not.toContain(String(answer.access_token).split('.')[1]);
});

test('the commands for a client of a file take its secret from the shell', async () => {
  const session = start('sts', '--port', '0', '--config', configFile(CONFIG));
  const text = await session.shows('Ctrl-C');
  expect(text).not.toContain('hush-hush');
  const commands = text
    .slice(text.indexOf('  SUBJECT_TOKEN='), text.indexOf('Ctrl-C'))
    .replace(/^Exchange.*$/m, '');
  const answer: unknown = JSON.parse(await shell(`CLIENT_SECRET=hush-hush\n${commands}`));
  expect(answer).toMatchObject({ token_type: 'Bearer' });
  await session.shows("o'hara by assistant for https://mcp.example.com/mail");
});

test('--json prints a line at start and one for each exchange, and nothing else', async () => {
  const session = start('sts', '--port', '0', '--json');
  const { token_endpoint } = JSON.parse(await session.shows('\n')) as { token_endpoint: string };
  const body = 'grant_type=urn:ietf:params:oauth:grant-type:token-exchange&client_id=agent&audience=files';
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  await fetch(token_endpoint, { method: 'POST', headers, body });
  await session.shows('"exchange"');
  session.interrupt();
  expect(await session.exit).toBe(0);

  const events = session
    .out()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(events).toEqual([
    {
      event: 'start',
      warning: expect.stringContaining('development only'),
      issuer: expect.stringMatching(/^http:/),
      token_endpoint,
      jwks_uri: expect.stringMatching(/jwks$/),
      metadata_url: expect.stringContaining('/.well-known/'),
      clients: [
        {
          client_id: 'agent',
          authentication: 'client_secret_basic',
          audiences: ['calendar', 'files', 'billing'],
          scopes: ['read', 'write'],
        },
      ],
      users: ['alice', 'bob'],
    },
    {
      event: 'exchange',
      at: expect.any(String),
      clientId: 'agent',
      audience: ['files'],
      resource: [],
      outcome: 'invalid_client',
      status: 401,
    },
  ]);
  expect(session.err()).toBe('');
});

test('an interrupt closes the server and ends with 0', async () => {
  const session = start('sts', '--port', '0');
  const issuer = /Issuer +(\S+)/.exec(await session.shows('Ctrl-C'))?.[1] ?? '';
  session.interrupt();
  expect(await session.exit).toBe(0);
  await expect(fetch(`${issuer}/jwks`)).rejects.toThrow(TypeError);
});

test.each(['SIGINT', 'SIGTERM'] as const)('the installed command ends with 0 on %s', async (signal) => {
  const folder = installPackage(['jose', 'oidc-provider']);
  const child = spawn(process.execPath, ['dist/cli/main.js', 'sts', '--port', '0', '--json'], {
    cwd: folder,
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  child.stdout.on('data', (chunk) => {
    out += chunk;
    if (out.endsWith('\n')) child.kill(signal);
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out.split('\n')).toEqual([expect.stringContaining('"event":"start"'), '']);
});

test('a port in use is named, with what to do, and the exit code is 1', async () => {
  const sts = await createDevelopmentSts({
    clients: [{ clientId: 'a', authentication: 'none', audiences: [] }],
  });
  onTestFinished(() => sts.close());
  const { port } = new URL(sts.issuer);
  const { code, out, err } = await ended('sts', '--port', port);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toContain(`port ${port}: the port is in use; choose another one, or 0`);
});

test.each([['--port', 'http'], ['--port', '65536'], ['--port', '-1'], ['--prot', '1'], ['stray']])(
  'wrong arguments end with 2 and point to the help: %s %s',
  async (...argv) => {
    const { code, out, err } = await ended('sts', ...argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^onbehalf sts: [\s\S]+\nRun "onbehalf sts --help"/);
  },
);

test('a host that is not loopback is refused with the flag that would allow it', async () => {
  const { code, err } = await ended('sts', '--port', '0', '--host', '0.0.0.0');
  expect(code).toBe(1);
  expect(err).toContain('add --dangerously-allow-non-loopback');
  const session = start('sts', '--port', '0', '--host', '0.0.0.0', '--dangerously-allow-non-loopback');
  await session.shows('http://0.0.0.0:');
});

test.each<[string, unknown, string]>([
  ['no JSON', '{ "clients": [ "hush-hush }', 'is not valid JSON'],
  ['no object', [], 'must be a JSON object'],
  [
    'a wrong field',
    { ...CONFIG, clients: [{ ...CONFIG.clients[0], audiences: 'x' }] },
    'clients[0].audiences must be',
  ],
  ['an unknown field', { ...CONFIG, user: [] }, 'unknown field "user"'],
  ['a field that is not for files', { ...CONFIG, onToken: 'x' }, 'unknown field "onToken"'],
])('a configuration file with %s is refused by name', async (_what, content, message) => {
  const file = configFile(content);
  const { code, out, err } = await ended('sts', '--port', '0', '--config', file);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toContain(file);
  expect(err).toContain(message);
  expect(err).not.toContain('hush-hush');
});

test('a configuration file that is not there is named', async () => {
  const { code, err } = await ended('sts', '--config', '/nowhere/sts.json');
  expect(code).toBe(1);
  expect(err).toContain('/nowhere/sts.json: there is no such file');
});

test('the help teaches by examples', async () => {
  const { code, out, err } = await ended('sts', '--help');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  for (const part of [
    'FOR DEVELOPMENT ONLY',
    'Examples:',
    '--port',
    '--host',
    '--config',
    '--json',
    'oidc-provider',
  ]) {
    expect(out).toContain(part);
  }
});

test('the configuration that the help shows is accepted', async () => {
  const { out } = await ended('sts', '--help');
  const example = out.slice(out.indexOf('{'), out.lastIndexOf('}') + 1);
  const session = start('sts', '--port', '0', '--config', configFile(example));
  expect(await session.shows('Ctrl-C')).toContain('carol');
});
