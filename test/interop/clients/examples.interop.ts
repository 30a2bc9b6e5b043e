import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { RecordedRequest } from '../../../examples/demo/mcp-server.ts';
import { expectNoLeak } from '../../support/leaks.ts';
import type { Ended } from './program.ts';
import { useWorkspace } from './use-workspace.ts';
import { AGENT, DENIED, SERVERS, startWorld, USERS, type World } from './world.ts';

const frameworks = inject('frameworks');
const EXAMPLES = ['mcp-v2', 'mcp-v1', 'ai-sdk', 'langchain', 'openai-agents', 'mastra'];
const GRANTED = USERS.filter((user) => user !== DENIED);
const TYPESCRIPT = fileURLToPath(new URL('../../../node_modules/typescript/bin/tsc', import.meta.url));

describe.skipIf(frameworks === undefined)('the examples, each by its own framework', () => {
  const run = useWorkspace(frameworks);

  test('fit the frameworks, by the frameworks’ own types', async () => {
    const { code, stdout } = await run([TYPESCRIPT, '--project', '.'], { timeout: 240_000 });
    expect(stdout).toBe('');
    expect(code).toBe(0);
  }, 250_000);

  describe.each(EXAMPLES)('%s', (example) => {
    let world: World;
    let ended: Ended;
    beforeAll(async () => {
      world = await startWorld();
      ended = await run([`examples/clients/${example}.ts`], { env: world.env, timeout: 60_000 });
    }, 90_000);
    afterAll(() => world?.close());

    test('ends well, and each user was told who they are', () => {
      expect(ended).toMatchObject({ code: 0, stderr: '' });
      const answers = JSON.parse(ended.stdout) as Record<string, string>;
      expect(Object.keys(answers).sort()).toEqual([...USERS]);
      for (const user of GRANTED) {
        expect(answers[user]?.split('; ').sort()).toEqual(
          SERVERS.map((name) => `you are ${user} at ${name}`),
        );
      }
    });

    test('tells the model why a user’s calls cannot be made, and the run goes on', () => {
      const answer = JSON.parse(ended.stdout)[DENIED] as string;
      const failures = [...answer.matchAll(/\{"error":\{.*?\}\}/g)].map(([json]) => JSON.parse(json));
      expect(failures.map(({ error }) => error.server).sort()).toEqual([...SERVERS]);
      for (const { error } of failures) {
        expect(error).toMatchObject({ failure: expect.any(String), retryable: false });
      }
      expect(callsIn(world).filter(({ sub }) => sub === DENIED)).toEqual([]);
    });

    test('calls each server once for each user, as that user, by this agent, with a token for that server', () => {
      const seen = callsIn(world).map(({ server, sub, act, aud, status }) => ({
        server,
        sub,
        act,
        aud,
        status,
      }));
      const wanted = GRANTED.flatMap((sub) =>
        SERVERS.map((server) => ({ server, sub, act: AGENT, aud: [server], status: 200 })),
      );
      expect(sorted(seen)).toEqual(sorted(wanted));
    });

    test('connects and lists the tools for nobody, before any user is there', () => {
      for (const { requests } of world.servers) {
        const methods = requests.map(({ method }) => method);
        const start = requests.slice(0, methods.indexOf('tools/call'));
        expect(start[methods.indexOf('initialize')]).not.toHaveProperty('sub');
        const listed = requests.filter(({ method }) => method === 'tools/list');
        expect(listed.length).toBeGreaterThan(0);
        for (const entry of listed) expect(entry).not.toHaveProperty('sub');
      }
    });

    test('exchanges once for each user and server', () => {
      const made = world.sts.exchanges.filter(({ status }) => status === 200);
      const pairs = made.map(({ sub, audience }) => `${sub} ${audience}`).sort();
      expect(pairs).toEqual(GRANTED.flatMap((user) => SERVERS.map((server) => `${user} ${server}`)).sort());
    });

    test('leaves no MCP session open', () => {
      expect(world.servers.map(({ openSessions }) => openSessions)).toEqual([0, 0]);
    });

    test('prints nothing of a token', () => {
      expect(world.tokens.length).toBeGreaterThan(USERS.length);
      expectNoLeak(`${ended.stdout}${ended.stderr}`, world.tokens);
    });
  });
});

const callsIn = (world: World): RecordedRequest[] =>
  world.servers.flatMap(({ requests }) => requests.filter(({ method }) => method === 'tools/call'));

const sorted = <T>(list: readonly T[]): T[] =>
  [...list].sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b), 'en'));
