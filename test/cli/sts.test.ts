import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import { resolveTarget } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { type SecurityToken, securityToken } from '../../src/core/token-types.ts';
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

/** The commands that the start text offers to copy: its indented lines after the first of them. */
function offered(text: string): string {
  const commands = text.slice(text.indexOf('  SUBJECT_TOKEN='));
  return commands.replace(/^\S.*$/gm, '');
}

/** Runs commands in a shell; returns the JSON objects that they print. */
async function answers(commands: string): Promise<Record<string, string>[]> {
  const out = await shell(commands);
  return JSON.parse(`[${out.replaceAll('}{', '},{')}]`) as Record<string, string>[];
}

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
  expect(text).toContain('assistant (client_secret_basic secret assistant-development-secret)');
  expect(text).toContain('may obtain calendar, mail, files, scopes read write');
  expect(text).toMatch(/Users +alice, bob\n/);
});

test('the commands it offers work as they are: an exchange without act, then one with the agent as act', async () => {
  const session = start('sts', '--port', '0');
  const text = await session.shows('Ctrl-C');

  const [plain, delegated, ...more] = await answers(offered(text));

  expect(more).toEqual([]);
  expect(plain).toMatchObject({ token_type: 'Bearer', expires_in: expect.any(Number) });
  const claims = decodeJwt(plain?.access_token ?? '');
  expect(claims).toMatchObject({ sub: 'alice', aud: 'calendar' });
  expect(claims).not.toHaveProperty('act');
  const act = { sub: 'assistant' };
  expect(decodeJwt(delegated?.access_token ?? '')).toMatchObject({ sub: 'alice', aud: 'calendar', act });
  expect(text).toContain(`act then is ${JSON.stringify(act)}`);
});

test('each exchange is logged with its actor or that it had none, and without its token', async () => {
  const session = start('sts', '--port', '0');
  const text = await session.shows('Ctrl-C');
  const tokens = await answers(offered(text));
  const log = (await session.shows('(act ')).slice(text.length);
  expect(log.split('\n')).toEqual([
    expect.stringMatching(/^\S+Z issued 200: alice by assistant \(no act\) for calendar$/),
    expect.stringMatching(/^\S+Z issued 200: alice by assistant \(act assistant\) for calendar$/),
    '',
  ]);
  for (const { access_token } of tokens) expect(log).not.toContain(String(access_token).split('.')[1]);
});

test('a refused exchange is not said to have had no actor: its actor token may be what was wrong', async () => {
  const session = start('sts', '--port', '0');
  const text = await session.shows('Ctrl-C');
  await shell(offered(text).replace('"actor_token=$ACTOR_TOKEN"', '"actor_token=$ACTOR_TOKEN-"'));
  expect(await session.shows('invalid_request 400')).toMatch(
    /invalid_request 400: alice by assistant for cal/,
  );
});

test('the quick start of the README works with what runs by default', async () => {
  const readme = readFileSync(new URL('../../examples/quickstart/assistant.ts', import.meta.url), 'utf8');
  const clientId = /clientId: '(.+?)'/.exec(readme)?.[1] ?? '';
  const audiences = [...readme.matchAll(/stsAudience: '(.+?)'/g)].map(([, audience = '']) => audience);
  expect(audiences.length).toBeGreaterThan(1);
  expect(readme).toContain("method: 'client_secret_basic'");

  const issuer = /Issuer +(\S+)/.exec(await start('sts', '--port', '0').shows('Ctrl-C'))?.[1] ?? '';
  const clientSecret = 'assistant-development-secret';
  const service = createTokenService({
    issuer,
    clientId,
    clientAuth: { method: 'client_secret_basic', clientSecret },
  });
  const minted = await fetch(`${issuer}/development/subject-token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sub: 'bob', audience: clientId }),
  });
  const { subject_token } = (await minted.json()) as { subject_token: string };
  const actor = (await clientCredentialsActor(service)({})) as SecurityToken;
  for (const audience of audiences) {
    const target = resolveTarget({ audience, scope: ['read', 'write'] });
    const parameters = { subject: securityToken(subject_token), actor, target };
    const response = await exchangeRequest(service, parameters);
    const { accessToken } = await processExchangeResponse(service, response, parameters);
    expect(decodeJwt(accessToken)).toMatchObject({ sub: 'bob', aud: audience, act: { sub: clientId } });
  }
});

test('the commands for a client of a file take its secret from the shell', async () => {
  const session = start('sts', '--port', '0', '--config', configFile(CONFIG));
  const text = await session.shows('Ctrl-C');
  expect(text).not.toContain('hush-hush');
  const [, delegated] = await answers(`CLIENT_SECRET=hush-hush\n${offered(text)}`);
  expect(decodeJwt(delegated?.access_token ?? '')).toMatchObject({ act: { sub: 'assistant' } });
  await session.shows("o'hara by assistant (act assistant) for https://mcp.example.com/mail");
});

test('a client that can get no token of its own is not shown how to act with one', async () => {
  const client = { clientId: 'open', authentication: 'none', audiences: ['mail'] };
  const session = start('sts', '--port', '0', '--config', configFile({ ...CONFIG, clients: [client] }));
  const text = await session.shows('Ctrl-C');
  expect(text).not.toContain('actor');
  expect(await answers(offered(text))).toEqual([expect.objectContaining({ token_type: 'Bearer' })]);
});

test('--json prints a line at start and one for each exchange, and nothing else', async () => {
  const session = start('sts', '--port', '0', '--json');
  const { token_endpoint } = JSON.parse(await session.shows('\n')) as { token_endpoint: string };
  const body =
    'grant_type=urn:ietf:params:oauth:grant-type:token-exchange&client_id=assistant&audience=files';
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
          client_id: 'assistant',
          authentication: 'client_secret_basic',
          audiences: ['calendar', 'mail', 'files'],
          scopes: ['read', 'write'],
        },
      ],
      users: ['alice', 'bob'],
    },
    {
      event: 'exchange',
      at: expect.any(String),
      clientId: 'assistant',
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

test.each(['0.0.0.0', '::', 'example.com', ''])(
  'the host %j is a wrong argument: it ends with 2 and the flag that would allow it',
  async (host) => {
    const { code, out, err } = await ended('sts', '--port', '0', '--host', host);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(`--host must be a loopback address, not ${JSON.stringify(host)}`);
    expect(err).toContain('add --dangerously-allow-non-loopback\nRun "onbehalf sts --help"');
  },
);

test.each([
  ['the flag', {}, ['--dangerously-allow-non-loopback']],
  ['the configuration', { dangerouslyAllowNonLoopback: true }, []],
])('a host that is not loopback is taken when %s allows it', async (_what, fields, flags) => {
  const file = configFile({ ...CONFIG, ...fields });
  const session = start('sts', '--port', '0', '--config', file, '--host', '0.0.0.0', ...flags);
  await session.shows('http://0.0.0.0:');
});

test('a host of a file that is not loopback is a failure: the arguments were right', async () => {
  const { code, err } = await ended('sts', '--config', configFile({ ...CONFIG, host: '0.0.0.0', port: 0 }));
  expect(code).toBe(1);
  expect(err).toContain('add --dangerously-allow-non-loopback');
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
