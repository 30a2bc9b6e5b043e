import type * as z from 'zod';
import { type Agent, agentSpec, agentStatus } from './agent.ts';
import { type ModelConfig, modelConfigSpec, modelConfigStatus } from './model-config.ts';
import { type RemoteMCPServer, remoteMcpServerSpec, remoteMcpServerStatus } from './remote-mcp-server.ts';
import { type TokenService, tokenServiceSpec, tokenServiceStatus } from './token-service.ts';

/** A kind of object of the group `onbehalf.dev`. */
export type Kind = 'Agent' | 'ModelConfig' | 'RemoteMCPServer' | 'TokenService';

/** The object of a kind. */
export interface ObjectOf {
  readonly Agent: Agent;
  readonly ModelConfig: ModelConfig;
  readonly RemoteMCPServer: RemoteMCPServer;
  readonly TokenService: TokenService;
}

/** A column of `kubectl get`. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'date' | 'integer';
  readonly jsonPath: string;
  readonly description: string;
  /** 1: shown with `-o wide` only. */
  readonly priority?: number | undefined;
}

/** What a CRD says of a kind. */
export interface KindInfo {
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  /** For `kubectl explain`. */
  readonly description: string;
  readonly spec: z.ZodType;
  readonly status: z.ZodType;
  readonly columns: readonly PrinterColumn[];
}

const condition = (type: string): PrinterColumn => ({
  name: type,
  type: 'string',
  jsonPath: `.status.conditions[?(@.type=="${type}")].status`,
  description: `Condition ${type}.`,
});

/** Why it is, or is not, ready: the word; and, with `-o wide`, the sentence. */
const WHY: readonly PrinterColumn[] = [
  {
    name: 'Reason',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    description: 'Why it is Ready, or not.',
  },
  {
    name: 'Message',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="Ready")].message',
    description: 'What to do about it.',
    priority: 1,
  },
];

const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since it was made.',
};

/** By kind, what its CRD says. */
export const KINDS: Readonly<Record<Kind, KindInfo>> = {
  Agent: {
    plural: 'agents',
    singular: 'agent',
    shortNames: ['oba'],
    description:
      'An agent that acts for its callers: each MCP server it calls gets a token for that caller, through this agent, for that server only.',
    spec: agentSpec,
    status: agentStatus,
    columns: [
      { name: 'Type', type: 'string', jsonPath: '.spec.type', description: 'Declarative or BYO.' },
      condition('Accepted'),
      condition('ResolvedRefs'),
      condition('Ready'),
      ...WHY,
      AGE,
    ],
  },
  ModelConfig: {
    plural: 'modelconfigs',
    singular: 'modelconfig',
    shortNames: ['obmodel'],
    description: 'A model that agents of the namespace use.',
    spec: modelConfigSpec,
    status: modelConfigStatus,
    columns: [
      { name: 'Provider', type: 'string', jsonPath: '.spec.provider', description: 'Who serves the model.' },
      { name: 'Model', type: 'string', jsonPath: '.spec.model', description: 'Name of the model.' },
      condition('Ready'),
      ...WHY,
      AGE,
    ],
  },
  RemoteMCPServer: {
    plural: 'remotemcpservers',
    singular: 'remotemcpserver',
    shortNames: ['obmcp'],
    description: 'An MCP server that is reached over HTTP, and what the tokens for it are made for.',
    spec: remoteMcpServerSpec,
    status: remoteMcpServerStatus,
    columns: [
      { name: 'URL', type: 'string', jsonPath: '.spec.url', description: 'Endpoint.' },
      {
        name: 'Audience',
        type: 'string',
        jsonPath: '.spec.stsAudience',
        description: 'Audience of its tokens.',
      },
      {
        name: 'Audiences',
        type: 'string',
        jsonPath: '.spec.tokenExchange.audiences',
        description: 'Audiences of its tokens, where tokenExchange says them.',
        priority: 1,
      },
      condition('Accepted'),
      condition('Ready'),
      ...WHY,
      AGE,
    ],
  },
  TokenService: {
    plural: 'tokenservices',
    singular: 'tokenservice',
    shortNames: ['obsts'],
    description:
      'An authorization server with token exchange (an STS, RFC 8693), and how agents are its clients.',
    spec: tokenServiceSpec,
    status: tokenServiceStatus,
    columns: [
      { name: 'Issuer', type: 'string', jsonPath: '.spec.issuer', description: 'Issuer identifier.' },
      condition('Accepted'),
      condition('Ready'),
      ...WHY,
      AGE,
    ],
  },
};
