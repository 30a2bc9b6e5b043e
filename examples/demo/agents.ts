// The two agents: a folder with a config file for each, and a server that serves it over A2A.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExchangeEvent } from 'onbehalf';
import { type AgentServer, startAgentServer } from 'onbehalf/agent';
import { AGENT, AUDIENCE, SERVERS, type ServerName } from './names.ts';
import { PLANS } from './plans.ts';

export type AgentName = 'assistant' | 'assistant-eu';

/** The `sts_audience` that an agent's config has for each server. */
const AUDIENCES: Record<AgentName, Record<ServerName, string>> = {
  assistant: { ...AUDIENCE, files: 'files' },
  'assistant-eu': AUDIENCE,
};

export const CLIENT_SECRET = 'demo-secret-for-loopback-only';

export interface AgentOptions {
  name: AgentName;
  /** Where its folder is made. */
  parent: string;
  issuer: string;
  servers: Record<ServerName, { url: string }>;
  onExchange: (exchange: ExchangeEvent) => void;
  onWarning?: ((warning: string) => void) | undefined;
}

/** Writes the files of an agent and serves it on a free port, its metrics on another. */
export async function startAgent(options: AgentOptions): Promise<AgentServer> {
  const { name, parent, onExchange, onWarning } = options;
  const folder = join(parent, name);
  await mkdir(folder);
  await writeFile(join(folder, 'config.json'), JSON.stringify(configOf(options), null, 2));
  await writeFile(
    join(folder, 'agent-card.json'),
    JSON.stringify({ name, description: DESCRIPTION }, null, 2),
  );
  return startAgentServer({
    ...{ folder, port: 0, adminPort: 0, onWarning },
    environment: { STS_CLIENT_SECRET: CLIENT_SECRET },
    observer: { exchange: onExchange },
  });
}

const DESCRIPTION = 'Knows the calendar, the mail and the files of whoever asks.';

/** What `config.json` holds: all that the agent knows of its servers, the STS and its callers. */
function configOf({ name, issuer, servers }: AgentOptions): unknown {
  return {
    name,
    description: DESCRIPTION,
    model: {
      type: 'scripted',
      model: 'demo',
      turns: [{ text: 'I have no script for this.' }],
      scripts: Object.fromEntries(PLANS.map(({ message, script }) => [message, script])),
    },
    memory: { ttl_days: 1 },
    http_tools: SERVERS.map((server) => ({
      name: server,
      params: { url: servers[server].url },
      sts_audience: AUDIENCES[name][server],
    })),
    token_exchange: {
      token_services: {
        development: {
          issuer,
          client_id: AGENT,
          // biome-ignore lint/suspicious/noTemplateCurlyInString: the config's own way to name a variable
          client_authentication: { method: 'client_secret_basic', client_secret: '${STS_CLIENT_SECRET}' },
          actor: { source: 'client_credentials' },
        },
      },
      retention: 'run',
    },
    authentication: { mode: 'jwt', audience: AGENT, issuers: [{ issuer }] },
  };
}
