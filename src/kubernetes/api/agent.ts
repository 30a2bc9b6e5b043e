import * as z from 'zod';
import {
  type DeploymentSpec,
  deploymentSpec,
  type OwnDeploymentSpec,
  ownDeploymentSpec,
} from './deployment.ts';
import {
  type Condition,
  conditions,
  dataKey,
  httpUrl,
  line,
  type ObjectMeta,
  objectName,
  observedGeneration,
  textMap,
} from './meta.ts';
import {
  type AllowedNamespaces,
  allowedNamespaces,
  type ObjectReference,
  objectReference,
  type ValueSource,
} from './references.ts';
import { atMostOneOf, given, withRules } from './rules.ts';
import { ONE_TARGET, TARGET_FIELDS, type TargetFields } from './target.ts';
import { type ToolReference, toolReference } from './tool-reference.ts';

/** How callers of an agent are known. */
export interface AuthenticationSpec {
  readonly mode: 'JWT' | 'TrustedProxy' | 'Anonymous';
  /** `aud` of the callers' tokens. Default: `stsAudience` of the agent, else `NAMESPACE/NAME`. */
  readonly audience?: string | undefined;
  readonly issuers?: readonly IssuerSpec[] | undefined;
}

/** Whose tokens are taken. */
export interface IssuerSpec {
  readonly issuer: string;
  readonly jwksURL?: string | undefined;
}

/** An agent that is declared, and run by the agent server. */
export interface DeclarativeSpec {
  readonly modelConfig: string;
  readonly systemMessage?: string | undefined;
  readonly systemMessageFrom?: ValueSource | undefined;
  readonly tools?: readonly ToolReference[] | undefined;
  readonly stream: boolean;
  readonly a2aConfig?: { readonly skills?: readonly SkillSpec[] | undefined } | undefined;
  readonly deployment?: DeploymentSpec | undefined;
}

/** A skill of the agent card. */
export interface SkillSpec {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly tags?: readonly string[] | undefined;
  readonly examples?: readonly string[] | undefined;
}

/** What is wanted of an agent. `stsAudience` and `tokenExchange` are for those who use it as a tool. */
export interface AgentSpec extends TargetFields {
  readonly type: 'Declarative' | 'BYO';
  readonly description?: string | undefined;
  readonly declarative?: DeclarativeSpec | undefined;
  readonly byo?: { readonly deployment: OwnDeploymentSpec } | undefined;
  readonly tokenServiceRef?: ObjectReference | undefined;
  readonly authentication: AuthenticationSpec;
  readonly allowedNamespaces?: AllowedNamespaces | undefined;
  /** Whether other agents may call this one with tokens although its Service speaks plain http. */
  readonly dangerouslyAllowInsecureHTTP: boolean;
}

/** For one tool of the agent: what its tokens are for, and where each value came from. */
export interface TargetStatus {
  /** `NAMESPACE/NAME` of the server, or of the agent that is the tool. */
  readonly server: string;
  readonly tokenService?: string | undefined;
  readonly audiences?: readonly string[] | undefined;
  readonly resources?: readonly string[] | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly requestedTokenType?: string | undefined;
  readonly profile?: string | undefined;
  /** By field, where its value came from, e.g. `{ audiences: 'tool' }`. */
  readonly from?: Readonly<Record<string, string>> | undefined;
}

/** What the controller has found out about an agent. */
export interface AgentStatus {
  readonly observedGeneration?: number | undefined;
  readonly conditions?: readonly Condition[] | undefined;
  readonly targets?: readonly TargetStatus[] | undefined;
  /** Digest of the config that the pods run with. */
  readonly configHash?: string | undefined;
}

/** An agent. */
export interface Agent {
  readonly apiVersion: string;
  readonly kind: 'Agent';
  readonly metadata: ObjectMeta;
  readonly spec: AgentSpec;
  readonly status?: AgentStatus | undefined;
}

const authentication: z.ZodType<AuthenticationSpec> = z
  .strictObject({
    mode: z
      .enum(['JWT', 'TrustedProxy', 'Anonymous'])
      .default('JWT')
      .describe(
        'JWT: tokens of callers are verified. TrustedProxy: somebody before the agent has done so. Anonymous: no caller is known, and no delegated tool works.',
      ),
    audience: line(1024)
      .optional()
      .describe("aud of the callers' tokens. Default: stsAudience of this agent, else NAMESPACE/NAME."),
    issuers: z
      .array(
        z.strictObject({
          issuer: httpUrl.describe('iss of the tokens.'),
          jwksURL: httpUrl.optional().describe('Its keys. Default: as its metadata says.'),
        }),
      )
      .max(8)
      .optional()
      .describe('Whose tokens are taken. Default: those of the issuer of the TokenService.'),
  })
  .describe('How the agent knows who calls it. Default: by a token that it verifies (mode JWT).');

const systemMessageFrom: z.ZodType<ValueSource> = z
  .strictObject({
    type: z.enum(['Secret', 'ConfigMap']).describe('Kind of the object that holds the instruction.'),
    name: objectName.describe('Its name, in the namespace of the agent.'),
    key: dataKey.describe('Key of the Secret or ConfigMap.'),
  })
  .describe('Takes the instruction from a ConfigMap or Secret. Instead of systemMessage.');

const skill: z.ZodType<SkillSpec> = z.strictObject({
  id: line(256).describe('Identifies the skill.'),
  name: line(256).describe('Name for people.'),
  description: z.string().max(4096).describe('What the agent can do.'),
  tags: z.array(line(256)).max(32).optional().describe('Words to find it by.'),
  examples: z.array(z.string().max(4096)).max(32).optional().describe('What one might say.'),
});

const declarative: z.ZodType<DeclarativeSpec> = withRules(
  z.strictObject({
    modelConfig: objectName
      .default('default-model-config')
      .describe('ModelConfig in the namespace of the agent.'),
    systemMessage: z.string().max(65_536).optional().describe('Instruction of the model.'),
    systemMessageFrom: systemMessageFrom.optional(),
    tools: z
      .array(toolReference)
      .max(20)
      .optional()
      .describe('MCP servers and agents that the agent may call.'),
    stream: z.boolean().default(false).describe('Whether the model streams its answers.'),
    a2aConfig: z
      .strictObject({ skills: z.array(skill).max(64).optional().describe('Skills of the agent card.') })
      .optional()
      .describe('What the agent card says.'),
    deployment: deploymentSpec.optional().describe('How the pods are made.'),
  }),
  [atMostOneOf('systemMessage', 'systemMessageFrom')],
);

/** Schema of {@link AgentSpec}. */
export const agentSpec: z.ZodType<AgentSpec> = withRules(
  z.strictObject({
    type: z
      .enum(['Declarative', 'BYO'])
      .default('Declarative')
      .describe('Declarative: run by the agent server. BYO: bring your own image.'),
    description: z.string().max(4096).optional().describe('What the agent is for.'),
    declarative: declarative.optional().describe('Model, instruction and tools; for type Declarative.'),
    byo: z
      .strictObject({ deployment: ownDeploymentSpec.describe('How the pods are made.') })
      .optional()
      .describe('Your own image; for type BYO.'),
    tokenServiceRef: objectReference
      .optional()
      .describe(
        'The STS of the agent. Default: the TokenService "default" of its namespace, if there is one.',
      ),
    authentication: authentication.default({ mode: 'JWT' }),
    allowedNamespaces,
    dangerouslyAllowInsecureHTTP: z
      .boolean()
      .default(false)
      .describe('Lets other agents send tokens to this one by plain http. For a network that you trust.'),
    ...TARGET_FIELDS,
    stsAudience: TARGET_FIELDS.stsAudience.describe(
      'Audience of the tokens for this agent where other agents call it: short for tokenExchange with this one audience. Give one of the two.',
    ),
    tokenExchange: TARGET_FIELDS.tokenExchange.describe(
      'Parameters of the token exchange (RFC 8693) for tokens for this agent, where other agents call it. Give this or stsAudience.',
    ),
  }),
  [
    ONE_TARGET,
    {
      cel: "has(self.declarative) == (self.type == 'Declarative') && has(self.byo) == (self.type == 'BYO')",
      message: 'type Declarative needs declarative, type BYO needs byo, and not the other',
      holds: (spec) =>
        given(spec, ['declarative', 'byo']).join() === (spec.type === 'BYO' ? 'byo' : 'declarative'),
    },
  ],
).describe(
  'How the agent is run, which servers and other agents it may call, and how its callers are known.',
);

const texts = z.array(z.string().max(2048)).max(64).optional();

/** Schema of {@link AgentStatus}. */
export const agentStatus: z.ZodType<AgentStatus> = z.object({
  observedGeneration,
  conditions,
  targets: z
    .array(
      z.object({
        server: z.string().max(512).describe('The server, NAMESPACE/NAME.'),
        tokenService: z.string().max(512).optional().describe('The TokenService, NAMESPACE/NAME.'),
        audiences: texts.describe('audience parameters.'),
        resources: texts.describe('resource parameters.'),
        scopes: texts.describe('Scopes.'),
        requestedTokenType: z.string().max(256).optional().describe('requested_token_type parameter.'),
        profile: z.string().max(64).optional().describe('How the token is got.'),
        from: textMap(16, 16)
          .optional()
          .describe('By field, where its value came from: tool, server, agent or default.'),
      }),
    )
    .max(32)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .optional()
    .describe('What the tokens for each tool are for.'),
  configHash: z.string().max(128).optional().describe('Digest of the config that the pods run with.'),
});
