import * as z from 'zod';
import { orNone } from './or-none.ts';
import type { SecretText } from './secret-text.ts';
import { hasOneTarget, ONE_TARGET, ONE_TARGET_SCHEMA, TARGET_FIELDS, type TargetFields } from './target.ts';

/** How an MCP server is reached; kagent v0.10's `params`. Times in seconds. */
export interface ServerParams {
  readonly url: string;
  readonly headers?: Readonly<Record<string, SecretText>> | undefined;
  readonly timeout?: number | undefined;
  readonly sse_read_timeout?: number | undefined;
  readonly terminate_on_close?: boolean | undefined;
  readonly tls_insecure_skip_verify?: boolean | undefined;
  readonly tls_ca_cert_path?: string | undefined;
  readonly tls_disable_system_cas?: boolean | undefined;
  readonly dangerously_allow_insecure_http?: boolean | undefined;
}

/** An MCP server and what the agent may do there. */
export interface ToolServerConfig extends TargetFields {
  /** Ours: names the server in errors, stable. Default: the host of its URL. */
  readonly name?: string | undefined;
  readonly params: ServerParams;
  /** Tools that the agent has; none: all. */
  readonly tools?: readonly string[] | undefined;
  readonly allowed_headers?: readonly string[] | undefined;
  readonly require_approval?: readonly string[] | undefined;
  /** Ours: under which identity the tools are listed. Default: `auto`. */
  readonly discovery?: 'auto' | 'anonymous' | 'agent' | 'delegated' | undefined;
}

/** Another agent, called over A2A. */
export interface RemoteAgentConfig extends TargetFields {
  readonly name: string;
  readonly url: string;
  readonly description?: string | undefined;
  readonly headers?: Readonly<Record<string, SecretText>> | undefined;
  readonly isolate_sessions?: boolean | undefined;
  readonly timeout?: number | undefined;
  readonly dangerously_allow_insecure_http?: boolean | undefined;
}

const text = z.string().min(1).max(2048);
const url = z
  .string()
  .max(2048)
  .regex(/^https?:\/\/[^\s/?#][^\s#]*$/);
const seconds = orNone(z.number().positive().max(86_400));
const flag = orNone(z.boolean());
const names = orNone(z.array(text));
const headers = orNone(z.record(z.string(), z.string()));

const params: z.ZodType<ServerParams> = z.strictObject({
  url: url.describe('Endpoint. Tokens go to this origin and path, and below it.'),
  headers: headers.describe('Header fields of each request; a value may be file:/path or hold ${VARIABLE}.'),
  timeout: seconds.describe('Longest wait for an answer, in seconds.'),
  sse_read_timeout: seconds.describe('Longest silence of an event stream, in seconds.'),
  terminate_on_close: flag.describe('Ends MCP sessions with DELETE. Default: true.'),
  tls_insecure_skip_verify: flag.describe('Takes any certificate. For trials only.'),
  tls_ca_cert_path: orNone(text).describe('PEM file of CAs that are trusted beside those of the system.'),
  tls_disable_system_cas: flag.describe('Trusts only the CAs of that file.'),
  dangerously_allow_insecure_http: flag.describe(
    'Lets tokens travel in clear text. For a network that you trust.',
  ),
});

/** Schema of {@link ToolServerConfig}. */
export const toolServer: z.ZodType<ToolServerConfig> = z
  .strictObject({
    name: text.optional().describe('Names the server in errors. Default: the host of its URL.'),
    params: params.describe('How the server is reached.'),
    tools: names.describe('Tools that the agent has. Empty or null: all. Default: all.'),
    allowed_headers: names.describe("Header fields of the user's request that are handed on."),
    require_approval: names.describe(
      'Tools that the user approves before each call; no token is made before.',
    ),
    ...TARGET_FIELDS,
    discovery: z
      .enum(['auto', 'anonymous', 'agent', 'delegated'])
      .optional()
      .describe('Under which identity the tools are listed. Default: auto.'),
  })
  .refine(hasOneTarget, { message: ONE_TARGET })
  .meta(ONE_TARGET_SCHEMA);

/** Schema of {@link RemoteAgentConfig}. */
export const remoteAgent: z.ZodType<RemoteAgentConfig> = z
  .strictObject({
    name: text.describe('Name of the tool that the model calls.'),
    url: url.describe('A2A endpoint of the agent.'),
    description: orNone(z.string()).describe('What the agent is for.'),
    headers: headers.describe(
      'Header fields of each request; a value may be file:/path or hold ${VARIABLE}.',
    ),
    isolate_sessions: flag.describe('A context of its own for each call.'),
    timeout: seconds.describe('Longest wait for an answer, in seconds. Default: 600.'),
    dangerously_allow_insecure_http: flag.describe(
      'Lets tokens travel in clear text. For a network that you trust.',
    ),
    ...TARGET_FIELDS,
  })
  .refine(hasOneTarget, { message: ONE_TARGET })
  .meta(ONE_TARGET_SCHEMA);
