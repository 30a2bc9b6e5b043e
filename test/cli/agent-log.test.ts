// What is in the log of `onbehalf agent`, when those who are served and called try to write in it.
import { getLogger } from '@google/adk';
import { expect, test } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { configOf, folderOf, send, setStage } from '../agent/support.ts';
import { type RawAnswer, startRawMcp } from '../support/raw-mcp.ts';

const FORGED = `\n{"event":"forged"}\r\u2028\u001b[2J\u202e${'q'.repeat(100_000)}`;

/** Serves the agent of a folder by the command, does something while it is served, and gives what the command wrote. */
async function served(
  folder: string,
  more: readonly string[],
  whileServed: (url: string) => unknown,
): Promise<{ readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  let started = (_url: string): void => {};
  const url = new Promise<string>((resolve) => {
    started = resolve;
  });
  let interrupt = (): void => {};
  const interrupted = new Promise<void>((resolve) => {
    interrupt = resolve;
  });
  const ended = run(['agent', '--filepath', folder, '--port', '0', ...more], {
    out(text) {
      out += text;
      started(/http:\/\/127\.0\.0\.1:\d+/.exec(text)?.[0] ?? '');
    },
    err(text) {
      err += text;
    },
    interrupted: () => interrupted,
  });
  try {
    await whileServed(await url);
  } finally {
    interrupt();
  }
  expect(await ended).toBe(0);
  return { out, err };
}

const says: readonly (readonly [string, () => void])[] = [
  ['the console, as a warning', () => console.warn(`Reference task x${FORGED} not found.`)],
  ['the console, as an error', () => console.error('Error in %s:', 'request x', new Error(FORGED))],
  ['the console', () => console.log(`said${FORGED}`)],
  ['ADK', () => getLogger().error(`MCP transport error: x${FORGED}`)],
];

test.each(says)(
  'what a library says to %s is one line, and no longer than one reads',
  async (_where, say) => {
    const folder = folderOf(configOf(await setStage(), []));

    for (const json of [false, true]) {
      const { out, err } = await served(folder, json ? ['--json'] : [], say);

      expect(out).not.toContain('forged');
      const [line = '', ...others] = err.trimEnd().split('\n');
      expect(others).toEqual([]);
      const text: string = json ? JSON.parse(line).message : line.replace(/^log: /, '');
      expect(text).toContain('{"event":"forged"}');
      expect(text).toMatch(/q\.\.\.$/);
      expect(text.length).toBe(2_000);
      expect(text).not.toMatch(/[\p{Cc}\p{Cf}\u2028]/u);
    }
  },
);

test('the console is the own again when the command has ended', async () => {
  const before = { ...console };
  await served(folderOf(configOf(await setStage(), [])), [], () =>
    expect(console.warn).not.toBe(before.warn),
  );
  expect({ ...console }).toEqual(before);
});

test('a server cannot write lines into it, whatever it answers', async () => {
  const stage = await setStage();
  const forging: RawAnswer = (response) => void response.writeHead(500).end(`x${FORGED}`);
  const raw = await startRawMcp({ answers: { initialize: forging } });
  const folder = folderOf({
    ...configOf(stage, []),
    http_tools: [{ name: 'srv', params: { url: raw.url } }],
  });
  const token = await stage.token('alice');

  const { err } = await served(folder, [], (url) => send({ url } as Parameters<typeof send>[0], token));

  const lines = err.trimEnd().split('\n');
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.filter((line) => !line.startsWith('log: ') || line.length > 2_005)).toEqual([]);
});
