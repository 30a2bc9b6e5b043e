import * as z from 'zod';
import { headerName, line, namespaceName, objectName } from './meta.ts';
import { type HeaderValue, headerValues } from './references.ts';
import { given, type Rule, withRules } from './rules.ts';
import { ONE_TARGET, TARGET_FIELDS, type TargetFields } from './target.ts';

/** S9: a server whose tools an agent has, and what its tokens are for in place of what the server says. */
export interface McpServerReference extends TargetFields {
  readonly kind: 'RemoteMCPServer';
  readonly apiGroup: 'onbehalf.dev';
  readonly name: string;
  readonly namespace?: string | undefined;
  /** Tools of the server that the agent has; none given: all. */
  readonly toolNames?: readonly string[] | undefined;
  /** Those of them that the user has to approve. */
  readonly requireApproval?: readonly string[] | undefined;
  /** Inbound header fields that are handed on to the server. */
  readonly allowedHeaders?: readonly string[] | undefined;
}

/** Another agent that is used as a tool. */
export interface AgentReference extends TargetFields {
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** A tool of an agent. */
export interface ToolReference {
  readonly type: 'McpServer' | 'Agent';
  readonly mcpServer?: McpServerReference | undefined;
  readonly agent?: AgentReference | undefined;
  /** Stronger than the server's own `headersFrom`. */
  readonly headersFrom?: readonly HeaderValue[] | undefined;
}

const toolName = line(256);
/** Header fields that would hand the caller's own credential on. */
const CREDENTIALS = ['authorization', 'proxy-authorization', 'cookie'];

/** A rule: what is to be approved is a tool that the agent has. */
export const REQUIRE_APPROVAL: Rule<McpServerReference> = {
  cel: '!has(self.requireApproval) || self.requireApproval.all(t, has(self.toolNames) && t in self.toolNames)',
  message: 'requireApproval must name tools of toolNames',
  holds: ({ requireApproval, toolNames = [] }) =>
    (requireApproval ?? []).every((tool) => toolNames.includes(tool)),
};

/** A rule: a token for the agent is good for nobody else. */
const ALLOWED_HEADERS: Rule<McpServerReference> = {
  cel: `!has(self.allowedHeaders) || !self.allowedHeaders.exists(h, h.lowerAscii() in [${CREDENTIALS.map((name) => `'${name}'`).join(', ')}])`,
  message: 'allowedHeaders must not name Authorization, Proxy-Authorization or Cookie',
  holds: ({ allowedHeaders = [] }) =>
    !allowedHeaders.some((name) => CREDENTIALS.includes(name.toLowerCase())),
};

const mcpServer: z.ZodType<McpServerReference> = withRules(
  z.strictObject({
    kind: z.enum(['RemoteMCPServer']).default('RemoteMCPServer').describe('Kind of the server.'),
    apiGroup: z.enum(['onbehalf.dev']).default('onbehalf.dev').describe('API group of the server.'),
    name: objectName.describe('Name of the server.'),
    namespace: namespaceName.optional().describe('Namespace of the server. Default: that of the agent.'),
    toolNames: z
      .array(toolName)
      .max(50)
      .optional()
      .describe('Tools that the agent has. Default: all of the server.'),
    requireApproval: z
      .array(toolName)
      .max(50)
      .optional()
      .describe('Those of toolNames that the user approves before each call; no token is made before.'),
    allowedHeaders: z
      .array(headerName)
      .max(32)
      .optional()
      .describe(
        "Header fields of the user's request that are handed on. Not Authorization, Proxy-Authorization or Cookie.",
      ),
    ...TARGET_FIELDS,
    stsAudience: TARGET_FIELDS.stsAudience.describe(
      "Audience of the tokens for this server when this agent calls it, in place of the server's own: short for tokenExchange with this one audience. Give one of the two.",
    ),
    tokenExchange: TARGET_FIELDS.tokenExchange.describe(
      "Parameters of the token exchange (RFC 8693) for this server when this agent calls it; what is not given here is the server's own. Give this or stsAudience.",
    ),
  }),
  [ONE_TARGET, REQUIRE_APPROVAL, ALLOWED_HEADERS],
);

const agentReference: z.ZodType<AgentReference> = withRules(
  z.strictObject({
    name: objectName.describe('Name of the agent.'),
    namespace: namespaceName.optional().describe('Namespace of the agent. Default: that of this one.'),
    ...TARGET_FIELDS,
  }),
  [ONE_TARGET],
);

/** Schema of {@link ToolReference}. */
export const toolReference: z.ZodType<ToolReference> = withRules(
  z.strictObject({
    type: z.enum(['McpServer', 'Agent']).describe('Which of mcpServer and agent is given.'),
    mcpServer: mcpServer.optional().describe('An MCP server.'),
    agent: agentReference
      .optional()
      .describe('Another agent, called over A2A with a token of its own audience.'),
    headersFrom: headerValues,
  }),
  [
    {
      cel: "has(self.mcpServer) == (self.type == 'McpServer') && has(self.agent) == (self.type == 'Agent')",
      message: 'type McpServer needs mcpServer, type Agent needs agent, and not the other',
      holds: (tool) =>
        given(tool, ['mcpServer', 'agent']).join() === (tool.type === 'Agent' ? 'agent' : 'mcpServer'),
    },
  ],
);
