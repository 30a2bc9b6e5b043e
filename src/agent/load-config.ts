import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConfigProblem, readRuntimeConfig } from '../config/read-config.ts';
import type { RuntimeConfig } from '../config/runtime-config.ts';
import { type AgentCardFile, cardProblems } from './agent-card.ts';
import { withKagentEnvironment } from './kagent-environment.ts';
import type { Environment } from './token-services.ts';
import { whatIsLeftOut, whatIsRefused } from './unsupported.ts';

/** What a folder says about an agent. */
export interface AgentFolder {
  readonly config: RuntimeConfig;
  readonly card: AgentCardFile;
  /** Fields that are passed over because nothing unsafe comes of that, each with its path. */
  readonly warnings: readonly string[];
  /** Of the two files: another one is another reading. */
  readonly digest: string;
}

/**
 * Reads `config.json` and `agent-card.json` of a folder.
 *
 * @param folder - path, e.g. `/config`
 * @param environment - of which kagent's variables fill in what the config leaves out
 * @throws TypeError that names the file, and each wrong field by its path, with what to do; it repeats no value
 */
export async function loadAgentFolder(folder: string, environment: Environment = {}): Promise<AgentFolder> {
  const [file, cardFile] = [join(folder, 'config.json'), join(folder, 'agent-card.json')];
  const text = await readText(file);
  const reading = readRuntimeConfig(parse(file, text));
  if (reading.problems) throw wrong(file, reading.problems);
  const { config, warnings: ofEnvironment } = withKagentEnvironment(reading.config, environment);
  const refused = whatIsRefused(config);
  if (refused.length > 0) throw wrong(file, refused);
  const cardText = await readText(cardFile);
  const card = parse(cardFile, cardText);
  const wrongCard = cardProblems(card);
  if (wrongCard.length > 0) throw wrong(cardFile, wrongCard);
  const warnings = whatIsLeftOut(config).map((problem) => `${file}: ${line(problem)}`);
  const digest = createHash('sha256')
    .update(JSON.stringify([text, cardText]))
    .digest('base64url');
  return { config, card: card as AgentCardFile, warnings: [...warnings, ...ofEnvironment], digest };
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'there is no such file' : (cause.code ?? 'unknown reason');
    throw new TypeError(`cannot read ${file}: ${why}`);
  });
}

function parse(file: string, bytes: string): unknown {
  // Some editors begin a file with a byte order mark.
  const text = bytes.replace(/^\uFEFF/, '');
  try {
    return JSON.parse(text);
  } catch (error) {
    // Not the parser's message: it quotes the text around the mistake, which may be a secret.
    const where = placeOf(error, text);
    throw new TypeError(`${file} is not valid JSON${where}: check it for missing quotes and commas`);
  }
}

/** Where the parser stopped, if it says so. */
function placeOf(error: unknown, text: string): string {
  const [, position] = / at position (\d+)/.exec(String(error)) ?? [];
  if (position === undefined) return '';
  const lines = text.slice(0, Number(position)).split('\n');
  return ` at line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`;
}

function wrong(file: string, problems: readonly ConfigProblem[]): TypeError {
  return new TypeError([`${file} is wrong:`, ...problems.map((one) => `  ${line(one)}`)].join('\n'));
}

function line({ path, message }: ConfigProblem): string {
  return path === '' ? message : `${path}: ${message}`;
}
