import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { run } from '../../../src/cli/run.ts';
import { readRuntimeConfig } from '../../../src/config/read-config.ts';
import type { RuntimeConfig } from '../../../src/config/runtime-config.ts';
import { GIVEN_KINDS } from '../../../src/kubernetes/kagent/kinds.ts';
import { readText } from '../../support/regions.ts';

const PATH = 'docs/kagent.md';
const DOCUMENT = readText(PATH);
const FILES = new Map(
  [...DOCUMENT.matchAll(/<!-- file: (\S+) -->\n```\w+\n([\s\S]*?)```\n/g)].map(
    ([, name = '', text = '']) => [name, text] as const,
  ),
);
/** The commands, each with the output that is shown below it. */
const COMMANDS = [...DOCUMENT.matchAll(/```sh\n([\s\S]*?)```\n(?:\n```text\n([\s\S]*?)```\n)?/g)].flatMap(
  ([, block = '', shown]) =>
    block
      .trim()
      .split('\n')
      .map((command) => ({ command, shown })),
);
const LOCAL = COMMANDS.filter(({ command }) => !command.includes('kubectl'));

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'onbehalf-kagent-'));
  for (const [name, text] of FILES) writeFileSync(join(folder, name), text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Runs a command of the document, as if the folder of its files were the current one. */
async function ended(command: string): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const [, ...words] = command.split(/\s+/);
  const isPath = (word: string, before: string | undefined): boolean =>
    FILES.has(word) || before === '--output' || before === '--filepath';
  const argv = words.map((word, index) => (isPath(word, words[index - 1]) ? join(folder, word) : word));
  const code = await run(argv, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    interrupted: () => Promise.resolve(),
  });
  return { code, out: out.replaceAll(`${folder}/`, ''), err: err.replaceAll(`${folder}/`, '') };
}

describe(PATH, () => {
  it('shows files, and commands of which most need no more than those', () => {
    expect([...FILES.keys()].toSorted()).toEqual(
      ['agent-card.json', 'assistant.yaml', 'config.json', 'kagent.yaml', 'sts.yaml'].toSorted(),
    );
    expect(LOCAL.length).toBeGreaterThan(1);
    for (const { command } of COMMANDS) expect(command).toMatch(/^(onbehalf|kubectl) /);
  });

  it.each(LOCAL)('runs $command, and it prints what is shown', async ({ command, shown }) => {
    const { code, out, err } = await ended(command);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    if (shown !== undefined) expect(out).toBe(shown);
  });

  it('shows for each of its own commands options that there are', async () => {
    const piped = COMMANDS.flatMap(({ command }) => command.split(' | ').slice(1));
    for (const command of [...LOCAL.map((each) => each.command), ...piped]) {
      const [, name = ''] = command.split(' ');
      const { out } = await ended(`onbehalf ${name} --help`);
      for (const [option] of command.matchAll(/(?<= )--?[a-z]+/g)) expect(out).toContain(option);
    }
  });

  it('compiles its manifests to files that the agent server reads', async () => {
    await ended('onbehalf compile -f kagent.yaml -f sts.yaml --output made');
    const made = join(folder, 'made/kagent/assistant');
    expect(readdirSync(made).toSorted()).toEqual(['agent-card.json', 'config.json']);
    const reading = readRuntimeConfig(JSON.parse(readFileSync(join(made, 'config.json'), 'utf8')));
    expect(reading.problems).toBeUndefined();
    expect(DOCUMENT).toContain('`config/kagent/assistant/config.json` and `agent-card.json`');
  });

  it('shows a config of its own that the agent server starts with', async () => {
    const { code, out, err } = await served(FILES.get('config.json') ?? '');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('kagent/assistant');
  });

  it('says that limits of the network are not there yet', async () => {
    expect(DOCUMENT).toMatch(/\*\*Not yet:\*\* limits of the network \(`network\.allowed_domains`\)/);
    const config = JSON.parse(FILES.get('config.json') ?? '');
    const { code, err } = await served(
      JSON.stringify({ ...config, network: { allowed_domains: ['example.com'] } }),
    );
    expect(code).toBe(1);
    expect(err).toContain('network.allowed_domains: is not enforced yet');
  });

  it('shows an agent of kagent whose pod has each file that the config refers to', () => {
    const [document] = parseAllDocuments(FILES.get('assistant.yaml') ?? '');
    const { deployment } = document?.toJS()?.spec?.byo ?? {};
    const mounts: Readonly<Record<string, string>> = Object.fromEntries(
      deployment.volumeMounts.map(({ name, mountPath }: Record<string, string>) => [name, mountPath]),
    );
    const [config, sts] = deployment.volumes;
    expect(deployment.args).toEqual([
      '--host',
      '0.0.0.0',
      '--port',
      '8080',
      '--filepath',
      mounts[config.name],
    ]);
    const { serviceAccountToken: token } = sts.projected.sources[0];
    const { token_exchange: exchange } = configOf().config as RuntimeConfig;
    const service = exchange?.token_services['kagent/default'];
    expect(service?.actor.path).toBe(`${mounts[sts.name]}/${token.path}`);
    expect(service?.client_authentication.assertion).toBe(`file:${service?.actor.path}`);
    expect(service?.issuer).toBe(token.audience);
    expect(FILES.get('config.json')).toContain(`\${${deployment.env[0].name}}`);
  });

  it('names the annotations, and the kinds that each of them is for', () => {
    const rows = [...DOCUMENT.matchAll(/^\| `([a-z-]+)` \| ([\w, ]+) \|/gm)].map(
      ([, name, on]) => [name, on] as const,
    );
    const onAll = rows[0]?.[1] ?? '';
    for (const [kind, { annotations }] of Object.entries(GIVEN_KINDS)) {
      const names = rows
        .filter(([, on = '']) => (on === 'the same' ? onAll : on).split(', ').includes(kind))
        .map(([name]) => `onbehalf.dev/${name}`);
      expect(names.toSorted(), kind).toEqual([...annotations].toSorted());
    }
  });

  it('links only to what is there', () => {
    const links = [...DOCUMENT.matchAll(/\]\((?!https:)([^)#]*)(?:#([^)]*))?\)/g)];
    expect(links.length).toBeGreaterThan(3);
    for (const [, to = '', heading] of links) {
      const text = to === '' ? DOCUMENT : readText(`docs/${to}`);
      const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replaceAll(/[^\w -]/g, '')
          .replaceAll(' ', '-'),
      );
      if (heading !== undefined) expect(anchors, to).toContain(heading);
    }
  });
});

/** Starts the agent server with a config and the card of the document, and ends it. */
async function served(config: string): ReturnType<typeof ended> {
  const own = mkdtempSync(join(folder, 'own-'));
  writeFileSync(join(own, 'config.json'), config);
  writeFileSync(join(own, 'agent-card.json'), FILES.get('agent-card.json') ?? '');
  vi.stubEnv('GOOGLE_API_KEY', 'obviously-fake');
  return ended(`onbehalf agent --port 0 --filepath ${own.slice(folder.length + 1)}`);
}

function configOf(): ReturnType<typeof readRuntimeConfig> {
  return readRuntimeConfig(JSON.parse(FILES.get('config.json') ?? ''));
}
