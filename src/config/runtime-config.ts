import * as z from 'zod';
import { type MemorySettings, memorySettings } from './memory.ts';
import { type ModelSettings, modelSettings } from './model.ts';
import { neededWhen } from './needed-when.ts';
import { textOrNone } from './or-none.ts';
import { type TokenExchangeConfig, tokenExchange } from './token-service.ts';
import { type RemoteAgentConfig, remoteAgent, type ToolServerConfig, toolServer } from './tools.ts';

/** How callers are known. */
export interface AuthenticationConfig {
  /** `trusted_proxy`: somebody before the agent has verified the token. `anonymous`: no caller is known. */
  readonly mode: 'jwt' | 'trusted_proxy' | 'anonymous';
  /** `aud` of the callers' tokens; for `jwt`. */
  readonly audience?: string | undefined;
  /** Whose tokens are taken; for `jwt`. */
  readonly issuers?:
    | readonly { readonly issuer: string; readonly jwks_url?: string | undefined }[]
    | undefined;
}

/**
 * `config.json`, the contract between what compiles Kubernetes objects and what runs agents: a superset of kagent
 * v0.10's file. Ours are `name`, `token_exchange`, `authentication`, and of each server `name`, `sts_audience`,
 * `token_exchange` and `discovery`.
 */
export interface RuntimeConfig {
  /** For editors. Nothing else looks at it. */
  readonly $schema?: string | undefined;
  /** `NAMESPACE/NAME` of the agent. */
  readonly name?: string | undefined;
  /** `null`: the image brings its own. */
  readonly model: ModelSettings | null;
  readonly description: string;
  /** The text; `file:/path`: what the file holds. See `textOrFile`. */
  readonly instruction: string;
  readonly http_tools: readonly ToolServerConfig[];
  readonly sse_tools: readonly ToolServerConfig[];
  readonly remote_agents: readonly RemoteAgentConfig[];
  readonly stream: boolean;
  readonly token_exchange?: TokenExchangeConfig | undefined;
  readonly authentication?: AuthenticationConfig | undefined;
  /** What the agent keeps for its users from one conversation to the next. Default: nothing. */
  readonly memory?: MemorySettings | undefined;
  /** kagent's; what runs the config says whether it can do it. */
  readonly network?: unknown;
  readonly context_config?: unknown;
  readonly share_tools?: unknown;
  readonly session_db_url?: string | undefined;
  readonly execute_code?: unknown;
}

const text = z.string().min(1).max(2048);

const authentication: z.ZodType<AuthenticationConfig> = z
  .strictObject({
    mode: z
      .enum(['jwt', 'trusted_proxy', 'anonymous'])
      .describe(
        'jwt: tokens of callers are verified here. trusted_proxy: somebody before the agent has verified them. anonymous: callers are not known.',
      ),
    audience: text
      .optional()
      .describe(
        "aud of the callers' tokens: this agent. Needed for jwt; checked for trusted_proxy where given.",
      ),
    issuers: z
      .array(
        z.strictObject({
          issuer: text.describe('iss of the tokens.'),
          jwks_url: text.optional().describe('URL of its keys, a JWK set. Default: as its metadata says.'),
        }),
      )
      .min(1)
      .optional()
      .describe('Whose tokens are taken. Needed for jwt.'),
  })
  .refine(
    ({ mode, audience, issuers }) => mode !== 'jwt' || (audience !== undefined && issuers !== undefined),
    { message: 'the mode jwt needs audience and issuers' },
  )
  .meta({ ...neededWhen('mode', 'jwt', ['audience', 'issuers']) });

const list = <T>(item: z.ZodType<T>): z.ZodType<readonly T[]> =>
  z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);

/** Schema of {@link RuntimeConfig}. */
export const runtimeConfig: z.ZodType<RuntimeConfig> = z
  .strictObject({
    $schema: text.optional().describe('Where editors find the schema of this file.'),
    name: text.optional().describe('NAMESPACE/NAME of the agent. Default: the name of the agent card.'),
    model: modelSettings.nullable().describe('The model; null: the image brings its own.'),
    description: z
      .string()
      .nullish()
      .transform((value) => value ?? '')
      .describe('What the agent is for.'),
    instruction: z
      .string()
      .nullish()
      .transform((value) => value ?? '')
      .describe('Instruction of the model: the text, or file:/path, read for each run.'),
    http_tools: list(toolServer).describe('MCP servers over Streamable HTTP.'),
    sse_tools: list(toolServer).describe(
      'MCP servers over the transport HTTP with SSE, of before 2025-03-26.',
    ),
    remote_agents: list(remoteAgent).describe('Agents that are called over A2A.'),
    stream: z
      .boolean()
      .nullish()
      .transform((value) => value ?? false)
      .describe('Whether the model streams its answers.'),
    token_exchange: tokenExchange.optional().describe('Where and how tokens are exchanged (RFC 8693).'),
    authentication: authentication.optional().describe('How callers are known.'),
    memory: memorySettings.describe(
      'Gives the agent the tools load_memory and save_memory: what each user has had it keep. null, and false: neither.',
    ),
    network: z.unknown().optional().describe("kagent's: allowed_domains of the agent."),
    context_config: z.unknown().optional().describe("kagent's: how long conversations are made shorter."),
    share_tools: z.unknown().optional().describe("kagent's: tools that are shared with other agents."),
    session_db_url: textOrNone.describe("kagent's: database of sessions."),
    execute_code: z.unknown().optional().describe("kagent's: whether the model may run code."),
  })
  .check(({ value, issues }) => {
    for (const { path, message } of targetProblems(value)) {
      issues.push({ code: 'custom', input: value, path: [...path], message });
    }
  });

interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Each server's token service must be there, and its name be its own. */
function targetProblems(config: RuntimeConfig): readonly Problem[] {
  const services = Object.keys(config.token_exchange?.token_services ?? {});
  const hasDefault = services.length === 1 || config.token_exchange?.default_token_service !== undefined;
  const seen = new Set<string>();
  return (['http_tools', 'sse_tools', 'remote_agents'] as const).flatMap((member) =>
    config[member].flatMap((server, index): readonly Problem[] => {
      const path = [member, index];
      const problems: Problem[] = [];
      if (server.name !== undefined && seen.has(server.name)) {
        problems.push({ path: [...path, 'name'], message: 'is the name of another server too' });
      }
      if (server.name !== undefined) seen.add(server.name);
      const named = server.token_exchange?.token_service;
      const hasTarget = server.sts_audience !== undefined || server.token_exchange !== undefined;
      if (named !== undefined && !services.includes(named)) {
        const message = 'names no entry of token_exchange.token_services';
        problems.push({ path: [...path, 'token_exchange', 'token_service'], message });
      } else if (hasTarget && named === undefined && !hasDefault) {
        const message = 'needs token_exchange.token_services with one entry, or a default_token_service';
        problems.push({ path, message });
      }
      return problems;
    }),
  );
}
