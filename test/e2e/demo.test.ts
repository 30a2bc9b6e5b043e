import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { setLogger } from '@google/adk';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkPromises, type RunResult, runDemo } from '../../examples/demo/demo.ts';
import { PLANS } from '../../examples/demo/plans.ts';
import type { RunReport, Seen } from '../../examples/demo/promises.ts';
import { brokenPromises } from '../../examples/demo/timeline.ts';
import { runBuiltDemo } from './built-demo.ts';

type Request = RunReport['requests'][number];

const hasCurl = await promisify(execFile)('curl', ['--version']).then(
  () => true,
  () => false,
);

let results: RunResult[];

beforeAll(async () => {
  setLogger(null);
  results = await runDemo();
});

const report = (name: string): RunReport => {
  const found = results.find(({ seen }) => seen.report.name === name);
  if (!found) throw new Error(`no run ${name}`);
  return found.seen.report;
};
const calls = (name: string): Request[] =>
  report(name).requests.filter(({ method }) => method === 'tools/call');
const seenIn = (name: string): string[] =>
  calls(name).map(
    ({ server, tool, status, sub, act, aud }) => `${server} ${tool} ${status} ${sub} ${act} ${aud}`,
  );

describe('what the MCP servers received', () => {
  test('there are exactly the six runs, each as promised', () => {
    expect(brokenPromises(results)).toEqual([]);
    expect(results.map(({ plan }) => plan.name)).toEqual([
      'memory-only',
      'two-servers',
      'two-users',
      'denied',
      'revoked',
      'override',
    ]);
  });

  test('memory-only: a tool that is no MCP tool causes no exchange and no request with a token', () => {
    expect(report('memory-only')).toMatchObject({ toolCalls: 2, exchanges: 0, cacheEntriesAfter: 0 });
    for (const request of report('memory-only').requests) {
      expect(request).not.toHaveProperty('sub');
      expect(request).not.toHaveProperty('aud');
      expect(request.method).not.toBe('tools/call');
    }
  });

  test('two-servers: four calls, two exchanges, each server its own audience, the agent as actor', () => {
    expect(report('two-servers')).toMatchObject({ toolCalls: 4, exchanges: 2, cacheEntriesAfter: 0 });
    expect(seenIn('two-servers')).toEqual([
      'calendar list_events 200 alice assistant calendar',
      'mail search_mail 200 alice assistant mail',
      'calendar add_event 200 alice assistant calendar',
      'mail send_mail 200 alice assistant mail',
    ]);
  });

  test('two-users: two at once are seen as themselves, and neither gets into the conversation of the other', () => {
    expect(report('two-users')).toMatchObject({ toolCalls: 4, exchanges: 4, cacheEntriesAfter: 0 });
    expect(report('two-users').subjects).toEqual(['alice', 'bob']);
    const seen = seenIn('two-users');
    expect(seen.slice(0, 2).toSorted()).toEqual([
      'calendar list_events 200 alice assistant calendar',
      'calendar list_events 200 bob assistant calendar',
    ]);
    expect(seen.slice(2).toSorted()).toEqual([
      'mail search_mail 200 alice assistant mail',
      'mail search_mail 200 bob assistant mail',
    ]);
  });

  test('denied: the refused audience makes a tool error and no request, and the run goes on', () => {
    expect(report('denied')).toMatchObject({ toolCalls: 4, exchanges: 3, cacheEntriesAfter: 0 });
    expect(report('denied').requests.filter(({ server }) => server === 'files')).toEqual([]);
    expect(seenIn('denied')).toEqual([
      'calendar list_events 200 alice assistant calendar',
      'mail search_mail 200 alice assistant mail',
      'mail send_mail 200 alice assistant mail',
    ]);
  });

  test('revoked: one 401 causes one more exchange and one replay, and the call succeeds', () => {
    expect(report('revoked')).toMatchObject({ toolCalls: 2, exchanges: 2, cacheEntriesAfter: 0 });
    expect(seenIn('revoked')).toEqual([
      'calendar list_events 401 alice assistant calendar',
      'calendar list_events 200 alice assistant calendar',
      'calendar add_event 200 alice assistant calendar',
    ]);
  });

  test('override: the audience given for the agent wins over the one declared for the server', () => {
    expect(report('override')).toMatchObject({ toolCalls: 1, exchanges: 1, cacheEntriesAfter: 0 });
    expect(seenIn('override')).toEqual(['files find_file 200 alice assistant files-eu']);
  });
});

describe('the promises can be broken', () => {
  const tamperings: Record<string, (seen: Seen) => Seen> = {
    'a request with another server’s audience': withRequests((request) => ({ ...request, aud: ['other'] })),
    'a request as somebody else': withRequests((request) => ({ ...request, sub: 'mallory' })),
    'a request without an actor': withRequests(({ act: _act, ...request }) => request),
    'a token left over': (seen) => ({ ...seen, report: { ...seen.report, cacheEntriesAfter: 1 } }),
    'an intruder who was let in': (seen) => ({
      ...seen,
      refusals: seen.refusals.length > 0 ? ['bob: let in'] : [],
      failures: seen.refusals.length > 0 ? [] : ['it threw'],
    }),
    'a run that threw': (seen) => ({ ...seen, failures: ['it threw'] }),
    'an exchange too many': (seen) => ({
      ...seen,
      report: { ...seen.report, exchanges: seen.report.exchanges + 1 },
      exchanges: [
        ...seen.exchanges,
        { at: '', audience: ['more'], resource: [], outcome: 'issued', status: 200 },
      ],
    }),
    'no call at all': (seen) => ({ ...seen, answers: [], report: { ...seen.report, requests: [] } }),
  };

  test.each(PLANS.map((plan) => [plan.name, plan] as const))('those of %s', (_name, plan) => {
    const seen = results.find((result) => result.plan === plan)?.seen as Seen;
    for (const [what, tamper] of Object.entries(tamperings)) {
      const broken = checkPromises(plan, tamper(seen)).filter(({ kept }) => !kept);
      expect(broken, what).not.toEqual([]);
    }
  });

  test('broken ones are listed with what was expected and what was found', () => {
    const [result] = results as [RunResult];
    const seen = { ...result.seen, report: { ...result.seen.report, exchanges: 7 } };
    const checks = checkPromises(result.plan, seen);
    expect(brokenPromises([{ ...result, seen, checks, kept: false }])).toEqual([
      'memory-only: no token was exchanged: expected 0, found 7',
    ]);
  });
});

describe('the command', () => {
  test('--json prints one document of the promised shape, and nothing else on stdout', async () => {
    const { code, stdout, stderr } = await runBuiltDemo(['--json']);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const document = JSON.parse(stdout) as { ok: boolean; runs: RunReport[] };
    expect(Object.keys(document)).toEqual(['ok', 'runs']);
    expect(document.ok).toBe(true);
    expect(document.runs.map(shapeOf)).toEqual(results.map(({ seen }) => shapeOf(seen.report)));
    const known = ['server', 'method', 'tool', 'status', 'sub', 'act', 'aud', 'scope'];
    for (const request of document.runs.flatMap((run) => run.requests)) {
      expect(known).toEqual(expect.arrayContaining(Object.keys(request)));
    }
  });

  test('prints for people in 100 columns, without colours when it is no terminal', async () => {
    const { code, stdout, stderr } = await runBuiltDemo([]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('promises were kept');
    expect(stdout).not.toContain('\u001b');
    expect(stdout.split('\n').filter((line) => line.length > 100)).toEqual([]);
  });

  test('--help exits with 0, an unknown flag with 2 and nothing on stdout', async () => {
    expect(await runBuiltDemo(['--help'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Usage:'),
    });
    const unknown = await runBuiltDemo(['--jsno']);
    expect(unknown).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--jsno') });
    const both = await runBuiltDemo(['--json', '--serve']);
    expect(both).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('leave one out') });
  });

  test('exits with 1 and says what was expected and what was found when a promise is broken', async () => {
    // Somebody between client and server takes the tokens out of the mail server's calls.
    const preload = `const { fetch } = globalThis;
      globalThis.fetch = (url, init) => {
        const headers = new Headers(init?.headers);
        if (String(init?.body).includes('search_mail')) headers.delete('authorization');
        return fetch(url, init && { ...init, headers });
      };`;
    const nodeArgs = ['--import', `data:text/javascript,${encodeURIComponent(preload)}`];
    const { code, stdout, stderr } = await runBuiltDemo(['--json'], { nodeArgs });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false });
    expect(stderr).toContain(
      "two-servers: four calls reached two servers and were answered: expected [ 'calendar 200', 'mail 200',",
    );
    expect(stderr).toContain("found [ 'calendar 200', 'mail 401',");
  });

  test.skipIf(!hasCurl)(
    '--serve leaves it running, with commands that do what it says, until SIGINT',
    async () => {
      let answers: Promise<string> | undefined;
      const { code, stdout, stderr } = await runBuiltDemo(['--serve'], {
        onOutput: (shown, signal) => {
          if (!shown.endsWith('What the MCP servers see:\n') || answers) return;
          answers = tryIt(shown).finally(() => signal('SIGINT'));
        },
      });
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout).toContain('promises were kept');
      expect(stdout.split('What the MCP servers see:\n')[1]?.trim().split('\n')).toEqual([
        'calendar  list_events: 200     sub alice, act assistant, aud calendar',
        'mail      search_mail: 200     sub alice, act assistant, aud mail',
        'calendar  add_event: 200       sub alice, act assistant, aud calendar',
        'mail      send_mail: 200       sub alice, act assistant, aud mail',
      ]);
      const said = await answers;
      expect(said).toContain('Your day is planned.');
      expect(said).toContain('HTTP/1.1 401');
      expect(said).toMatch(/www-authenticate: Bearer .*resource_metadata=/i);
      expect(said).toMatch(/^onbehalf_agent_tokens 0$/m);
    },
  );

  test('stops in good order on SIGINT', async () => {
    let signalled = false;
    const { code, stdout, stderr } = await runBuiltDemo([], {
      onOutput: (shown, signal) => {
        if (!signalled && shown.includes('memory-only')) signalled = signal('SIGINT');
      },
    });
    expect(stderr).toBe('');
    expect(code).toBe(130);
    expect(stdout).not.toContain('override');
  });
});

/** Runs what the demo invites to, as it stands there. */
async function tryIt(shown: string): Promise<string> {
  const invitation = shown.slice(shown.indexOf('Everything is left running'));
  const commands = invitation
    .split('\n')
    .filter((line) => /^(TOKEN=|ask\(\)|ask 'Plan| {2}(-H|\||"p)| {2}curl)/.test(line));
  const { stdout } = await promisify(execFile)('sh', ['-euc', commands.join('\n')], { timeout: 20_000 });
  return stdout;
}

function withRequests(change: (request: Request) => Request): (seen: Seen) => Seen {
  return (seen) => {
    // A run without any token has nothing to change, so one is put there.
    const bare: Request = { server: 'calendar', method: 'tools/call', tool: 'list_events', status: 200 };
    const [first = bare, ...others] = seen.report.requests.filter(({ sub }) => sub !== undefined);
    const requests = [change({ sub: 'alice', act: 'assistant', aud: ['calendar'], ...first }), ...others];
    return { ...seen, report: { ...seen.report, requests } };
  };
}

/** What does not differ from one execution to the next. */
function shapeOf({ requests, ...counts }: RunReport): unknown {
  return {
    ...counts,
    requests: requests
      .filter(({ method }) => method === 'tools/call')
      .map(order)
      .toSorted(),
  };
}

function order(request: Request): string {
  return JSON.stringify(request, Object.keys(request).toSorted());
}
