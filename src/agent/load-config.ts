import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConfigProblem, readRuntimeConfig } from '../config/read-config.ts';
import type { RuntimeConfig } from '../config/runtime-config.ts';
import { type AgentCardFile, cardProblems } from './agent-card.ts';
import { whatIsLeftOut, whatIsRefused } from './unsupported.ts';

/** What a folder says about an agent. */
export interface AgentFolder {
  readonly config: RuntimeConfig;
  readonly card: AgentCardFile;
  /** Fields that are passed over because nothing unsafe comes of that, each with its path. */
  readonly warnings: readonly string[];
}

/**
 * Reads `config.json` and `agent-card.json` of a folder.
 *
 * @param folder - path, e.g. `/config`
 * @throws TypeError that names the file, and each wrong field by its path, with what to do; it repeats no value
 */
export async function loadAgentFolder(folder: string): Promise<AgentFolder> {
  const file = join(folder, 'config.json');
  const { config, problems } = readRuntimeConfig(await readJson(file));
  if (problems) throw wrong(file, problems);
  const refused = whatIsRefused(config);
  if (refused.length > 0) throw wrong(file, refused);
  const cardFile = join(folder, 'agent-card.json');
  const card = await readJson(cardFile);
  const wrongCard = cardProblems(card);
  if (wrongCard.length > 0) throw wrong(cardFile, wrongCard);
  const warnings = whatIsLeftOut(config).map((problem) => `${file}: ${line(problem)}`);
  return { config, card: card as AgentCardFile, warnings };
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'there is no such file' : (cause.code ?? 'unknown reason');
    throw new TypeError(`cannot read ${file}: ${why}`);
  });
  try {
    return JSON.parse(text);
  } catch {
    // Not the parser's message: it quotes the text around the mistake, which may be a secret.
    throw new TypeError(`${file} is not valid JSON: check it for missing quotes and commas`);
  }
}

function wrong(file: string, problems: readonly ConfigProblem[]): TypeError {
  return new TypeError([`${file} is wrong:`, ...problems.map((one) => `  ${line(one)}`)].join('\n'));
}

function line({ path, message }: ConfigProblem): string {
  return path === '' ? message : `${path}: ${message}`;
}
