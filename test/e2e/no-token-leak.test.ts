import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  BasePlugin,
  getLogger,
  type Logger,
  LoggingPlugin,
  LogLevel,
  maybeSetOtelProviders,
  setLogger,
} from '@google/adk';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runDemo } from '../../examples/demo/demo.ts';
import { runBuiltDemo } from './built-demo.ts';
import { tapRunners } from './tapped-runners.ts';

/** Where a token could be seen. */
interface Exposed {
  tokens: string[];
  places: Record<string, string>;
}

const spans: unknown[] = [];
let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'onbehalf-leak-'));
  const nothing = async (): Promise<void> => {};
  maybeSetOtelProviders([
    {
      spanProcessors: [
        {
          onStart: () => {},
          onEnd: ({ name, attributes, events, links, status }) =>
            spans.push({ name, attributes, events, links, status }),
          forceFlush: nothing,
          shutdown: nothing,
        },
      ],
    },
  ]);
});
afterEach(() => {
  spans.length = 0;
  setLogger(null);
});
afterAll(() => rm(scratch, { recursive: true }));

describe('no token is shown', () => {
  test('in log lines of any level, session events, spans, what users get over A2A, or results', async () => {
    const { tokens, places } = await exposeInProcess();
    expect(tokens.length).toBeGreaterThan(15);
    expect(Object.keys(places)).toEqual(['log', 'events', 'spans', 'answers', 'results']);
    for (const [place, text] of Object.entries(places)) expect(text.length, place).toBeGreaterThan(1000);
    expect(leaks(tokens, places)).toEqual([]);
  });

  test.each([['JSON', ['--json']] as const, ['people', []] as const])(
    'on stdout or stderr of the command for %s with every log level on',
    async (_readers, args) => {
      const { tokens, places } = await exposeCommand(args);
      expect(tokens.length).toBeGreaterThan(15);
      expect(places.stderr).toContain('[adk debug]');
      expect(places.stdout?.length).toBeGreaterThan(1000);
      expect(leaks(tokens, places)).toEqual([]);
    },
  );
});

describe('the search finds a token that is shown on purpose', () => {
  test('in log lines, session events, spans, what users get over A2A, and results', async () => {
    const { tokens, places } = await exposeInProcess((known) => new Leak(() => known.at(-1) ?? ''));
    expect(distinctPlaces(leaks(tokens, places))).toEqual(['answers', 'events', 'log', 'results', 'spans']);
  });

  test.each(['stdout', 'stderr'])('on %s of the command', async (stream) => {
    const leak = `const { fetch } = globalThis;
      globalThis.fetch = (url, init) => {
        process.${stream}.write((new Headers(init?.headers).get('authorization') ?? '') + '\\n');
        return fetch(url, init);
      };`;
    const nodeArgs = ['--import', `data:text/javascript,${encodeURIComponent(leak)}`];
    const { tokens, places } = await exposeCommand([], nodeArgs);
    expect(distinctPlaces(leaks(tokens, places))).toEqual([stream]);
  });

  test('as a whole, or only its payload or signature', () => {
    const token = `${'h'.repeat(30)}.${'p'.repeat(90)}.${'s'.repeat(86)}`;
    const [, payload, signature] = token.split('.') as [string, string, string];
    expect(leaks([token], { a: `x${token}x`, b: payload, c: signature, d: 'nothing' })).toEqual([
      'a: token of token 0',
      'a: payload of token 0',
      'a: signature of token 0',
      'b: payload of token 0',
      'c: signature of token 0',
    ]);
  });
});

/** Shows each token it can get hold of: in the log and in what the model is told. */
class Leak extends BasePlugin {
  readonly #token: () => string;

  constructor(token: () => string) {
    super('leak');
    this.#token = token;
  }

  override async afterToolCallback(): Promise<Record<string, unknown>> {
    getLogger().debug(`the token is ${this.#token()}`);
    return { text: `the token is ${this.#token()}` };
  }
}

async function exposeInProcess(leak?: (tokens: readonly string[]) => BasePlugin): Promise<Exposed> {
  const log: string[] = [];
  setLogger(loggerInto(log));
  const tokens: string[] = [];
  const events: unknown[] = [];
  const said: unknown[] = [];
  const untap = tapRunners({
    plugins: () => [new LoggingPlugin(), ...(leak ? [leak(tokens)] : [])],
    onEvent: (event) => events.push(event),
  });
  const results = await runDemo({
    onToken: (token) => tokens.push(token),
    onEvent: (event) => said.push(event),
  }).finally(untap);
  const places = {
    ...{ log: log.join('\n'), events: text(events), spans: text(spans) },
    ...{ answers: text(said), results: text(results) },
  };
  return { tokens, places };
}

async function exposeCommand(args: readonly string[], nodeArgs: readonly string[] = []): Promise<Exposed> {
  const file = join(scratch, 'tokens.json');
  const { stdout, stderr } = await runBuiltDemo(['--verbose', '--tokens-file', file, ...args], { nodeArgs });
  return { tokens: JSON.parse(await readFile(file, 'utf8')) as string[], places: { stdout, stderr } };
}

/** The places that show a token, or the part of one that is secret or personal. */
function leaks(tokens: readonly string[], places: Record<string, string>): string[] {
  return Object.entries(places).flatMap(([place, shown]) =>
    tokens.flatMap((token, index) => {
      const [, payload, signature] = token.split('.');
      return Object.entries({ token, payload, signature })
        .filter(([, part]) => part !== undefined && shown.includes(part))
        .map(([part]) => `${place}: ${part} of token ${index}`);
    }),
  );
}

function distinctPlaces(found: readonly string[]): string[] {
  return [...new Set(found.map((leak) => leak.split(':')[0] ?? ''))].toSorted();
}

/** As deep as it goes, hidden properties too: a token must not be anywhere in it. */
function text(value: unknown): string {
  return inspect(value, { depth: 12, showHidden: true, maxArrayLength: null, maxStringLength: null });
}

function loggerInto(lines: string[]): Logger {
  const write = (...args: unknown[]): void => {
    lines.push(args.map((arg) => (typeof arg === 'string' ? arg : inspect(arg, { depth: 8 }))).join(' '));
  };
  return {
    log: (level, ...args) => write(LogLevel[level], ...args),
    debug: write,
    info: write,
    warn: write,
    error: write,
    setLogLevel: () => {},
  };
}
