import type { ProblemReason } from '../../../../src/kubernetes/compile/types.ts';
import { agent, mcpTool } from '../controller-bed.ts';

/** An Agent that cannot be, and what is said of it. */
export interface BadAgent {
  readonly declarative: object;
  /** The condition that has the reason. */
  readonly type: 'Accepted' | 'ResolvedRefs';
  /** The field that its message names. */
  readonly field: string;
  /** Default: `bad`. */
  readonly namespace?: string;
}

const TOOL = 'spec.declarative.tools[0]';
const SERVER = `${TOOL}.mcpServer`;

/** One for each reason, but for that of manifests of another system, which an API server has no kinds for. */
export const BAD_AGENTS: Readonly<Record<Exclude<ProblemReason, 'Unsupported'>, BadAgent>> = {
  Invalid: {
    declarative: { tools: [mcpTool('mail'), mcpTool('mail')] },
    ...{ type: 'Accepted', field: 'spec.declarative.tools[1].mcpServer.name' },
  },
  NotFound: {
    declarative: { tools: [mcpTool('none')] },
    ...{ type: 'ResolvedRefs', field: `${SERVER}.name` },
  },
  NotPermitted: {
    declarative: { tools: [mcpTool('mail', { namespace: 'bare' })] },
    ...{ type: 'ResolvedRefs', field: `${SERVER}.name` },
  },
  KeyNotFound: {
    declarative: {
      systemMessage: undefined,
      systemMessageFrom: { type: 'Secret', name: 'header', key: 'none' },
    },
    ...{ type: 'ResolvedRefs', field: 'spec.declarative.systemMessageFrom.key' },
  },
  UnknownTool: {
    declarative: { tools: [mcpTool('published', { toolNames: ['send'] })] },
    ...{ type: 'ResolvedRefs', field: `${SERVER}.toolNames[0]` },
  },
  UnknownApproval: {
    declarative: { tools: [mcpTool('mail', { toolNames: ['read'], requireApproval: ['send'] })] },
    ...{ type: 'Accepted', field: `${SERVER}.requireApproval[0]` },
  },
  AgentCycle: {
    declarative: { tools: [{ type: 'Agent', agent: { name: 'agentcycle' } }] },
    ...{ type: 'Accepted', field: `${TOOL}.agent.name` },
  },
  NoTokenService: {
    declarative: { tools: [mcpTool('mail')] },
    ...{ type: 'ResolvedRefs', field: SERVER, namespace: 'bare' },
  },
};

/** It has the reason's name. */
export function badAgent(reason: string, { declarative, namespace = 'bad' }: BadAgent): unknown {
  return agent(namespace, reason.toLowerCase(), declarative);
}

/** An Agents' CRD of a time when approvals were not checked: that of now refuses one that names no tool. */
export function withoutApprovalRule(manifest: string): string {
  return manifest.replaceAll(/\n *- rule: .*\n *message: requireApproval must name tools of toolNames/g, '');
}
