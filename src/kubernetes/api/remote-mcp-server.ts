import * as z from 'zod';
import { type Condition, conditions, httpUrl, line, type ObjectMeta, observedGeneration } from './meta.ts';
import {
  type AllowedNamespaces,
  allowedNamespaces,
  type HeaderValue,
  headerValues,
  type TlsSpec,
  tlsNeedsHttps,
  tlsSpec,
} from './references.ts';
import { withRules } from './rules.ts';
import { ONE_TARGET, TARGET_FIELDS, type TargetFields } from './target.ts';

/** Under which identity the tools of a server are listed; as `DiscoveryPolicy` of the library. */
export type Discovery = 'auto' | 'anonymous' | 'agent' | 'delegated';

/** An MCP server somewhere, and what tokens for it are made for. */
export interface RemoteMCPServerSpec extends TargetFields {
  readonly description: string;
  readonly protocol: 'STREAMABLE_HTTP' | 'SSE';
  readonly url: string;
  readonly headersFrom?: readonly HeaderValue[] | undefined;
  /** Duration, e.g. `30s`. */
  readonly timeout: string;
  /** Duration, e.g. `5m`. */
  readonly sseReadTimeout?: string | undefined;
  readonly terminateOnClose: boolean;
  readonly allowedNamespaces?: AllowedNamespaces | undefined;
  readonly tls?: TlsSpec | undefined;
  readonly discovery: Discovery;
  /** Whether the controller lists the tools into the status. */
  readonly publishTools: boolean;
  readonly dangerouslyAllowInsecureHTTP: boolean;
}

/** A tool that the controller found at a server. */
export interface DiscoveredTool {
  readonly name: string;
  readonly description?: string | undefined;
}

/** What the controller has found out about a server. */
export interface RemoteMCPServerStatus {
  readonly observedGeneration?: number | undefined;
  readonly conditions?: readonly Condition[] | undefined;
  readonly discoveredTools?: readonly DiscoveredTool[] | undefined;
}

/** S8: an MCP server with the default audience of its tokens. */
export interface RemoteMCPServer {
  readonly apiVersion: string;
  readonly kind: 'RemoteMCPServer';
  readonly metadata: ObjectMeta;
  readonly spec: RemoteMCPServerSpec;
  readonly status?: RemoteMCPServerStatus | undefined;
}

/** A Go duration of whole units, as Kubernetes writes them. */
const duration = z
  .string()
  .max(32)
  .regex(/^([0-9]+(h|m|s|ms))+$/);

/** Schema of {@link RemoteMCPServerSpec}. */
export const remoteMcpServerSpec: z.ZodType<RemoteMCPServerSpec> = withRules(
  z.strictObject({
    description: z.string().max(4096).describe('What the server is for.'),
    protocol: z
      .enum(['STREAMABLE_HTTP', 'SSE'])
      .default('STREAMABLE_HTTP')
      .describe('Transport. SSE is the one of before 2025-03-26.'),
    url: httpUrl.describe('Endpoint. Tokens go to this origin and path, and below it.'),
    headersFrom: headerValues,
    timeout: duration.default('30s').describe('Longest wait for an answer.'),
    sseReadTimeout: duration.optional().describe('Longest silence of an event stream.'),
    terminateOnClose: z
      .boolean()
      .default(true)
      .describe('Ends MCP sessions with DELETE when they are no longer needed.'),
    allowedNamespaces,
    tls: tlsSpec,
    ...TARGET_FIELDS,
    discovery: z
      .enum(['auto', 'anonymous', 'agent', 'delegated'])
      .default('auto')
      .describe(
        'Under which identity agents list the tools: nobody, the agent itself, the user, or (auto) the first that works.',
      ),
    publishTools: z
      .boolean()
      .default(false)
      .describe('The controller lists the tools, as itself, and tells them in the status.'),
    dangerouslyAllowInsecureHTTP: z
      .boolean()
      .default(false)
      .describe('Lets tokens travel to an http URL in clear text. For a network that you trust.'),
  }),
  [ONE_TARGET, tlsNeedsHttps],
).describe('Where the server is, and what the tokens for it are made for.');

/** Schema of {@link RemoteMCPServerStatus}. */
export const remoteMcpServerStatus: z.ZodType<RemoteMCPServerStatus> = z.object({
  observedGeneration,
  conditions,
  discoveredTools: z
    .array(
      z.object({
        name: line(256).describe('Name of the tool.'),
        description: z
          .string()
          .max(1024)
          .optional()
          .describe('What the server says of it, at most 1,024 characters.'),
      }),
    )
    .max(1000)
    .optional()
    .describe('Tools of the server, when publishTools is on.'),
});
