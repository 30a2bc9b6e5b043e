// A server that quotes the operator's own key for it, in whatever it answers.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createHeaderFetch } from '../../src/agent/header-fetch.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { startLoopback } from '../support/loopback.ts';
import { type RawAnswer, startRawMcp } from '../support/raw-mcp.ts';
import { remoteConfig, said, setRemoteStage, startCaller, startFakeAgent } from './remote-agents-support.ts';
import { configOf, playing, rpc, type Stage, send, serve, setStage } from './support.ts';

/** With what JSON, URLs and HTML spell otherwise. */
const KEY = 'operator/key&"Zq83';
// biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the config
const FROM_ENVIRONMENT = '${KEY}';
/** A part of it that shows however the rest is spelt. */
const CORE = 'Zq83';

const keyIn = ({ req }: ServerResponse): string => `bad key ${req.headers['x-api-key']}, bad`;

const answered =
  (member: (text: string) => object): RawAnswer =>
  (response, id) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...member(keyIn(response)) }).replaceAll('/', '\\/'));
  };

const inStatus: RawAnswer = (response) => void response.writeHead(500).end(keyIn(response));
const inError = answered((message) => ({ error: { code: -1, message } }));
const inResult = answered((text) => ({ result: { content: [{ type: 'text', text }] } }));
const inEvent: RawAnswer = (response, id) => {
  const content = [{ type: 'text', text: keyIn(response) }];
  const text = JSON.stringify({ jsonrpc: '2.0', id, result: { content } });
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  // In pieces, cut within the key.
  const [start, end] = text.split('key&');
  response.write(`event: message\ndata: ${start}key&`, () => response.end(`${end}\n\n`));
};

async function startAgent(stage: Stage, answers: Record<string, RawAnswer>, own: object) {
  const raw = await startRawMcp({ answers });
  const server = { name: 'srv', params: { url: raw.url, headers: { 'X-Api-Key': KEY } }, ...own };
  const agent = await serve({ ...configOf(stage, []), model: playing(['t']), http_tools: [server] });
  return { raw, agent };
}

const WAYS = [
  ['plain', {}],
  ['delegated', { sts_audience: 'calendar' }],
] as const;

test.each(
  WAYS.flatMap(([way, own]) => [
    [way, 'a status', own, inStatus, undefined] as const,
    [way, 'an error', own, inError, 'bad key [redacted], bad'] as const,
    [way, 'a result', own, inResult, 'bad key [redacted], bad'] as const,
    [way, 'an event', own, inEvent, 'bad key [redacted], bad'] as const,
  ]),
)(
  'a %s server that quotes its key in %s of a call shows it to nobody',
  async (_way, _what, own, answer, left) => {
    const stage = await setStage();
    const { raw, agent } = await startAgent(stage, { 'tools/call': answer }, own);
    const token = await stage.token('alice');

    const { text, body } = await send(agent, token);
    const task = await rpc(agent, token, 'tasks/get', { id: body.result.id });

    expect(raw.of('tools/call')).toHaveLength(1);
    expectNoLeak([text, task.text, stage.log], [KEY, CORE]);
    if (left) expect(text).toContain(left);
  },
);

test.each(WAYS)(
  'a %s server that quotes its key where tools are listed shows it to nobody',
  async (_way, own) => {
    const stage = await setStage();
    const listing = answered((description) => ({
      result: { tools: [{ name: 't', description, inputSchema: { type: 'object' } }] },
    }));
    for (const answers of [{ initialize: inStatus }, { 'tools/list': inError }, { 'tools/list': listing }]) {
      const { agent } = await startAgent(stage, answers, own);
      const { text } = await send(agent, await stage.token('alice'));
      expectNoLeak(text, [KEY, CORE]);
    }
    expect(stage.log.join()).toMatch(/tools of srv cannot be listed/);
    expectNoLeak(stage.log, [KEY, CORE]);
  },
);

test('another agent that quotes its key shows it to nobody', async () => {
  const stage = await setRemoteStage();
  const quoting = await startFakeAgent({
    'message/send': (_message, { headers }) => said(`bad key ${headers['x-api-key']}, bad`),
  });
  for (const own of [{}, { sts_audience: 'callee' }]) {
    const callee = { name: 'callee', url: quoting.url, headers: { 'x-api-key': KEY }, ...own };
    const answers = await startCaller(remoteConfig(stage, [callee])).ask(await stage.token('alice'));
    expect(answers).toEqual([{ state: 'completed', text: 'bad key [redacted], bad' }]);
  }
});

test('what a server answers for a listing is one line of the log, of no more than is read', async () => {
  const stage = await setStage();
  const forging: RawAnswer = (response) =>
    void response.writeHead(500).end(`x\nerror: FORGED ${'long words '.repeat(9_000)}`);
  const { agent } = await startAgent(stage, { initialize: forging }, {});

  await send(agent, await stage.token('alice'));

  const [said = ''] = stage.log.filter((line) => line.includes('cannot be listed'));
  expect(said).toContain('x error: FORGED long words');
  expect(said).not.toContain('\\n');
  expect(said.length).toBeLessThan(400);
});

/** Asks a server that answers with what `answer` makes of the header fields, and gives the answer. */
async function asked(
  headers: Record<string, string>,
  answer: (response: ServerResponse, sent: Record<string, unknown>) => void,
) {
  const server = await startLoopback(({ headers: sent }, response) => answer(response, sent));
  const fetch = createHeaderFetch(
    { params: { url: server.origin, headers } },
    { KEY },
    'http_tools[0].params',
  );
  return () => fetch(server.origin, { method: 'POST', body: '{}' });
}

test.each([
  ['itself', KEY],
  ['JSON', JSON.stringify(KEY)],
  ['JSON in JSON', JSON.stringify(JSON.stringify(KEY))],
  ['JSON of PHP', '"operator\\/key&\\"Zq83"'],
  ['JSON of Go', '"operator/key\\u0026\\"Zq83"'],
  ['a URL', encodeURIComponent(KEY)],
  ['HTML', 'operator/key&amp;&quot;Zq83'],
  ['HTML by numbers', 'operator&#x2F;key&#38;&#34;Zq83'],
])('the key is known as %s spells it', async (_what, text) => {
  const ask = await asked({ 'x-api-key': FROM_ENVIRONMENT }, (response) => void response.end(`no: ${text}.`));
  const said = await (await ask()).text();
  expect(said).toMatch(/^no: [\\"]*\[redacted\][\\"]*\.$/);
});

test('header fields of an answer are without it, credentials also without their scheme', async () => {
  const ask = await asked({ authorization: 'Basic dXNlcjpwYXNz' }, (response, { authorization }) => {
    const credentials = String(authorization).split(' ')[1];
    response.setHeader('www-authenticate', `Basic realm="${credentials}"`);
    response.setHeader('mcp-session-id', 'kept');
    response.writeHead(403, `no ${authorization}`).end(`no: ${credentials}, ${authorization}`);
  });
  const response = await ask();
  expect([response.status, response.statusText, response.headers.get('mcp-session-id')]).toEqual([
    403,
    '',
    'kept',
  ]);
  expect(response.headers.get('www-authenticate')).toBe('Basic realm="[redacted]"');
  expect(await response.text()).toBe('no: [redacted], [redacted]');
});

test('short values, and fields that are no secret, are words as any others', async () => {
  const open = {
    accept: 'application/json',
    'user-agent': 'assistant/1.0',
    'x-region': 'eu-west',
    'x-api-version': '2026-01-01',
  };
  const ask = await asked(open, (response, sent) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`${sent.accept} ${sent['user-agent']} ${sent['x-region']} ${sent['x-api-version']}`);
  });
  const response = await ask();
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.text()).toBe('application/json assistant/1.0 eu-west 2026-01-01');
});

test('a secret that was rotated is known as it was before, too, and bytes that are no text are left', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'onbehalf-secret-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'key');
  const sent: unknown[] = [];
  const ask = await asked({ 'x-api-key': `file:${file}` }, (response, headers) => {
    sent.push(headers['x-api-key']);
    response.end(Buffer.concat([Buffer.from([0xff, 0x00, 0xc3]), Buffer.from(sent.join(' '))]));
  });
  for (const value of ['first-secret', 'second-secret']) {
    writeFileSync(file, value);
    const bytes = Buffer.from(await (await ask()).arrayBuffer());
    expect([...bytes.subarray(0, 3)]).toEqual([0xff, 0x00, 0xc3]);
    expect(bytes.subarray(3).toString()).toMatch(/^\[redacted\]( \[redacted\])?$/);
  }
  expect(sent).toEqual(['first-secret', 'second-secret']);
});

test('an event is handed on as soon as it is whole, while its stream goes on', async () => {
  const ask = await asked({ 'x-api-key': FROM_ENVIRONMENT }, (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`data: "${KEY}"\n\ndata: not yet`);
  });
  const response = await ask();
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const { value } = await reader.read();
  expect(Buffer.from(value ?? []).toString()).toBe('data: "[redacted]"\n\n');
  await reader.cancel();
});

test.each(['\\\\team\\agent\\key', 'team\\"agent"\\'])(
  'a secret with backslashes is known: %s',
  async (secret) => {
    for (const quote of [String, JSON.stringify, encodeURIComponent]) {
      const ask = await asked(
        { 'x-api-key': secret },
        (response) => void response.end(`no: ${quote(secret)}.`),
      );
      expect(await (await ask()).text()).toMatch(/^no: "?\[redacted\]"?\.$/);
    }
  },
);
