// What was asked for, S8 to S10, end to end: manifests as for a cluster, compiled as `onbehalf compile` does, served, and asked over
// HTTP; what counts is what the MCP servers get.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { decodeJwt } from 'jose';
import { describe, expect, test } from 'vitest';
import { ended } from '../cli/ended.ts';
import { temporaryDirectory } from '../support/files.ts';
import type { RawMcp } from '../support/raw-mcp.ts';
import {
  AGENT,
  callsAt,
  exchangesAt,
  playing,
  type Stage,
  send,
  serve,
  setStage,
  startKeeper,
  tokensAt,
} from './support.ts';

const NAMESPACE = 'team';
const SECRET = 'a-secret-for-tests-only';
/** Where pods have the keys of their Secrets. */
const DATA = '/var/run/secrets/onbehalf/data';

const object = (kind: string, name: string, spec: object): object => ({
  ...{ apiVersion: 'onbehalf.dev/v1alpha1', kind, metadata: { name, namespace: NAMESPACE }, spec },
});

/** A server as an object, with what it says of its tokens. */
const serverObject = (name: string, url: string, more: object = {}): object =>
  object('RemoteMCPServer', name, { description: `It has ${name}.`, url, ...more });

/** An Agent of these servers, with what it says of their tokens itself. */
const agentObject = (name: string, servers: Readonly<Record<string, object>>): object =>
  object('Agent', name, {
    stsAudience: AGENT,
    declarative: {
      modelConfig: 'scripted',
      systemMessage: 'Be kind.',
      tools: Object.entries(servers).map(([server, own]) => ({
        ...{ type: 'McpServer', mcpServer: { name: server, ...own } },
      })),
    },
  });

/** The STS of the stage as an object, its client's Secret, and a model that calls these tools. */
function worldOf({ sts }: Stage, turns: readonly (readonly string[])[]): readonly object[] {
  const secret = { name: 'client', namespace: NAMESPACE };
  const { turns: answers } = playing(...turns) as { turns: { calls?: { name: string }[]; text?: string }[] };
  return [
    object('TokenService', 'default', {
      issuer: sts.issuer,
      clientID: AGENT,
      clientAuthentication: {
        method: 'client_secret_basic',
        clientSecretRef: { name: 'client', key: 'secret' },
      },
      actor: { source: 'ClientCredentials' },
    }),
    { apiVersion: 'v1', kind: 'Secret', metadata: secret, stringData: { secret: SECRET } },
    object('ModelConfig', 'scripted', {
      ...{ provider: 'Scripted', model: 'script' },
      turns: answers.map(({ calls, text }) => ({ text, calls: calls?.map(({ name }) => ({ name })) })),
    }),
  ];
}

/** Compiles manifests, and gives each Agent's `config.json` by name, with its Secret where the kubelet would have put it. */
async function compile(objects: readonly object[]): Promise<Readonly<Record<string, string>>> {
  const directory = await temporaryDirectory();
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  const { code, out, err } = await ended(['compile', '-f', '-', '--output', directory], list);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const mounted = join(directory, 'data');
  const key = join(mounted, 'secret', 'client', 'secret');
  mkdirSync(dirname(key), { recursive: true });
  writeFileSync(key, SECRET);
  const paths = out.split('\n').filter((path) => path.endsWith('config.json'));
  return Object.fromEntries(
    paths.map((path) => {
      const name = path.split('/').at(-2) ?? '';
      return [name, readFileSync(path, 'utf8').replaceAll(DATA, mounted)];
    }),
  );
}

/** Serves an Agent of the manifests and sends it a message of a user. */
async function askAgent(stage: Stage, config: string | undefined, user = 'alice') {
  const server = await serve(config, { environment: {} });
  return send(server, await stage.token(user));
}

/** What each token is for that a server got with a call. */
const audiencesAt = (keeper: RawMcp): unknown[] =>
  tokensAt(keeper).map((token) => (token === undefined ? 'no token' : decodeJwt(token).aud));

describe('S8: the audience of a server is what its object says', () => {
  test('for the agent that says nothing: both servers verify a token for themselves', async () => {
    const stage = await setStage();
    const [calendar, mail] = [await stage.mcp('calendar'), await stage.mcp('mail')];
    const configs = await compile([
      ...worldOf(stage, [['calendar_tool', 'mail_tool']]),
      serverObject('calendar', calendar.url, { stsAudience: 'calendar' }),
      serverObject('mail', mail.url, { stsAudience: 'mail' }),
      agentObject('assistant', { calendar: {}, mail: {} }),
    ]);

    const { body } = await askAgent(stage, configs.assistant);

    expect(body.result.status.state).toBe('completed');
    expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
    expect(callsAt(mail)).toEqual([`alice for mail by ${AGENT}: 200`]);
  });

  test('without one, on the server and in the agent, it is called without a token', async () => {
    const stage = await setStage();
    const keeper = await startKeeper('look');
    const configs = await compile([
      ...worldOf(stage, [['look'], ['look']]),
      serverObject('open', keeper.url),
      agentObject('assistant', { open: {} }),
    ]);

    const { body } = await askAgent(stage, configs.assistant);

    expect(body.result.status.state).toBe('completed');
    expect(audiencesAt(keeper)).toEqual(['no token', 'no token']);
    expect(keeper.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
    expect(exchangesAt(stage.sts)).toEqual([]);
  });
});

describe('S9: what the agent says of a server wins over what the server says', () => {
  test('for this agent only: another one of the same manifests keeps the default', async () => {
    const stage = await setStage();
    const keeper = await startKeeper('look');
    const configs = await compile([
      ...worldOf(stage, [['look']]),
      serverObject('mail', keeper.url, { stsAudience: 'mail' }),
      agentObject('overriding', { mail: { stsAudience: 'files' } }),
      agentObject('plain', { mail: {} }),
    ]);

    await askAgent(stage, configs.overriding);
    await askAgent(stage, configs.plain, 'bob');

    expect(audiencesAt(keeper)).toEqual(['files', 'mail']);
    expect(exchangesAt(stage.sts)).toEqual([
      `files for alice by ${AGENT}: issued`,
      `mail for bob by ${AGENT}: issued`,
    ]);
  });

  test('and gives one to a server that says nothing', async () => {
    const stage = await setStage();
    const mail = await stage.mcp('mail', { audience: 'files' });
    const configs = await compile([
      ...worldOf(stage, [['mail_tool']]),
      serverObject('mail', mail.url),
      agentObject('assistant', { mail: { stsAudience: 'files' } }),
    ]);

    await askAgent(stage, configs.assistant);

    expect(callsAt(mail)).toEqual([`alice for files by ${AGENT}: 200`]);
  });
});

describe('S10: what the objects come to is what the agent server does', () => {
  test('own word, server’s word, none: each of three servers of one agent gets what is due to it', async () => {
    const stage = await setStage();
    const [calendar, mail, open] = [
      await startKeeper('calendar_tool'),
      await startKeeper('mail_tool'),
      await startKeeper('open_tool'),
    ];
    const configs = await compile([
      ...worldOf(stage, [['calendar_tool', 'mail_tool', 'open_tool'], ['mail_tool']]),
      serverObject('calendar', calendar.url, { stsAudience: 'calendar' }),
      serverObject('mail', mail.url, { stsAudience: 'mail' }),
      serverObject('open', open.url),
      agentObject('assistant', { calendar: {}, mail: { stsAudience: 'files' }, open: {} }),
    ]);

    const { body } = await askAgent(stage, configs.assistant);

    expect(body.result.status.state).toBe('completed');
    expect([calendar, mail, open].map(audiencesAt)).toEqual([['calendar'], ['files', 'files'], ['no token']]);
    expect(exchangesAt(stage.sts).toSorted()).toEqual([
      `calendar for alice by ${AGENT}: issued`,
      `files for alice by ${AGENT}: issued`,
    ]);
  });

  test('the config of an agent is that of a person who wrote it: audience, tools and retention, and no secret', async () => {
    const stage = await setStage();
    const [calendar, keeper] = [await stage.mcp('calendar'), await startKeeper('read', 'write')];
    const configs = await compile([
      ...worldOf(stage, [['read', 'calendar_tool', 'write']]),
      serverObject('calendar', calendar.url, { stsAudience: 'calendar' }),
      serverObject('notes', keeper.url, { tokenExchange: { audiences: ['mail'] } }),
      agentObject('assistant', { calendar: {}, notes: { toolNames: ['read'] } }),
    ]);
    const config = JSON.parse(configs.assistant ?? '{}');

    expect(config.name).toBe(`${NAMESPACE}/assistant`);
    expect(config.token_exchange.retention).toBe('run');
    expect(configs.assistant).not.toContain(SECRET);
    await askAgent(stage, configs.assistant);

    // The agent has no tool of the name `write`, though the server has.
    expect(keeper.of('tools/call').map(({ tool }) => tool)).toEqual(['read']);
    expect(audiencesAt(keeper)).toEqual(['mail']);
    expect(callsAt(calendar)).toEqual([`alice for calendar by ${AGENT}: 200`]);
  });
});
