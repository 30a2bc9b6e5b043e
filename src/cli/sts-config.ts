import { readFile } from 'node:fs/promises';
import type { DevelopmentStsOptions } from '../sts/index.ts';

/** Fields of a configuration file; the rest of {@link DevelopmentStsOptions} is not for files. */
export type StsConfig = Omit<DevelopmentStsOptions, 'onExchange' | 'onToken'>;

/** What runs when no file is given: the agent of the README's quick start, three servers, two users. */
export const BUILT_IN_CONFIG: StsConfig = {
  clients: [
    {
      clientId: 'assistant',
      authentication: 'client_secret_basic',
      clientSecret: 'assistant-development-secret',
      audiences: ['calendar', 'mail', 'files'],
      scopes: ['read', 'write'],
    },
  ],
  users: [
    { sub: 'alice', name: 'Alice' },
    { sub: 'bob', name: 'Bob' },
  ],
};

/**
 * Reads a configuration file. Its fields are checked by the server itself, with the path of a wrong one.
 *
 * @throws Error that says what to do when the file cannot be read or is no JSON object
 */
export async function readConfig(file: string): Promise<StsConfig> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'there is no such file' : (cause.code ?? 'unknown reason');
    throw new Error(`Cannot read the configuration ${file}: ${why}`, { cause });
  });
  const value = parse(text, file);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(
      `The configuration ${file} must be a JSON object like { "clients": [...], "users": [...] }`,
    );
  }
  for (const name of ['onExchange', 'onToken']) {
    if (name in value) throw new Error(`The configuration ${file} has an unknown field "${name}"`);
  }
  return value as StsConfig;
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // Not the parser's message: it quotes the text around the mistake, which may be a secret.
    throw new Error(`The configuration ${file} is not valid JSON: check it for missing quotes and commas`, {
      cause,
    });
  }
}
