import { randomUUID } from 'node:crypto';
import type { Message, Task } from '@a2a-js/sdk';
import { type BaseTool, type Context, FunctionTool } from '@google/adk';
import * as z from 'zod';
import type { RemoteAgentConfig } from '../config/tools.ts';
import { createEcho } from '../mcp/echo.ts';
import type { McpServer } from '../mcp/server.ts';
import { type ToolError, toolError } from '../mcp/tool-error.ts';
import { noteFailure } from './auth-required.ts';
import { currentRun } from './caller.ts';
import { answerFor, conversationAfter, type RemoteAnswer } from './remote-agent-answer.ts';
import { callRemote } from './remote-agent-client.ts';
import { failureOf, rpcErrorOf, TASK_NOT_FOUND } from './remote-agent-failure.ts';
import { type CallFetch, delegatedCall, plainCall } from './remote-agent-fetch.ts';
import type { Conversation, ConversationKey, Conversations } from './remote-conversations.ts';
import type { RunDelegations } from './run-delegations.ts';
import type { AgentTokenService } from './token-services.ts';

/** What the tools of all other agents have in common. */
export interface Shared {
  readonly conversations: Conversations;
  readonly delegations: RunDelegations;
  /** Those under way. */
  readonly calls: Set<AbortController>;
  /** Tasks that are being cancelled. */
  readonly last: Set<Promise<unknown>>;
}

/** Another agent, ready to be called. */
export interface RemoteAgent {
  /** Of the tool. */
  readonly name: string;
  readonly config: RemoteAgentConfig;
  readonly server: McpServer;
  /** Who gives the tokens; none: the agent has no target. */
  readonly service: AgentTokenService | undefined;
  readonly shared: Shared;
}

const TIMEOUT_S = 600;

/** Makes the tool by which the model calls another agent. */
export function remoteAgentTool(agent: RemoteAgent): BaseTool {
  const { name, config, shared } = agent;
  return new FunctionTool({
    name,
    description: config.description || `Asks the agent ${config.name}.`,
    parameters: z.object({ request: z.string().describe('What the agent is asked to do, in full.') }),
    async execute({ request }, context) {
      const { abortSignal, sessionId, userId } = context as Context;
      const abort = new AbortController();
      const signal = AbortSignal.any(abortSignal ? [abort.signal, abortSignal] : [abort.signal]);
      const owner = currentRun()?.caller.userName ?? userId;
      const key: ConversationKey = { owner, sessionId, agent: config.name };
      shared.calls.add(abort);
      try {
        return await ask(agent, request, { key, signal, context: context as Context });
      } finally {
        shared.calls.delete(abort);
      }
    },
  });
}

interface Call {
  readonly key: ConversationKey;
  readonly signal: AbortSignal;
  readonly context: Context;
}

async function ask(
  agent: RemoteAgent,
  request: string,
  { key, signal, context }: Call,
): Promise<RemoteAnswer | ToolError> {
  const { conversations } = agent.shared;
  const { isolate_sessions: isolated = false } = agent.config;
  // Of its own, so that what it knows is not kept.
  const echo = createEcho();
  const server = { ...agent.server, fetch: echo.watch(agent.server.fetch) };
  try {
    const send = sender({ ...agent, server }, context, signal);
    const answer = await goOn(send, request, conversations.get(key));
    echo.clean(answer);
    if (!isolated) conversations.set(key, conversationAfter(answer));
    return answerFor(answer);
  } catch (error) {
    // An abort is the run's own doing, whatever its reason looks like.
    signal.throwIfAborted();
    // Perhaps the conversation is what it will not have.
    if (rpcErrorOf(error)) conversations.set(key, undefined);
    const failure = failureOf(server, error);
    const { name, target } = server;
    // Only where a user's token is for: else there is nothing that the user could do.
    if (agent.service)
      noteFailure({ stage: 'call', server: name, scopes: target?.scopes ?? [], error: failure });
    return toolError(server, failure) as ToolError;
  }
}

type Send = (message: Message) => Promise<Message | Task>;

function sender(agent: RemoteAgent, context: Context, signal: AbortSignal): Send {
  const { server, config, shared } = agent;
  const fetch = callFetch(agent, context);
  const timeoutMs = (config.timeout ?? TIMEOUT_S) * 1000;
  const onLast = (last: Promise<unknown>): void => {
    shared.last.add(last);
    void last.finally(() => shared.last.delete(last));
  };
  return (message) => callRemote({ server, fetch, timeoutMs, signal, onLast }, message);
}

function callFetch({ service, shared, server }: RemoteAgent, context: Context): CallFetch {
  if (!service) return plainCall(server);
  const { appName, userId, session } = context.invocationContext;
  // As the plugin calls it, so that a run gets one token for a target, whoever asks first.
  const label = JSON.stringify([appName, userId, session.id]);
  return delegatedCall(service.broker, server, shared.delegations.of(currentRun(), service.broker, label));
}

async function goOn(
  send: Send,
  text: string,
  conversation: Conversation | undefined,
): Promise<Message | Task> {
  try {
    return await send(messageOf(text, conversation));
  } catch (error) {
    // The other agent has forgotten the task that waited, so nothing was done.
    if (conversation?.taskId === undefined || rpcErrorOf(error)?.code !== TASK_NOT_FOUND) throw error;
    return send(messageOf(text, undefined));
  }
}

function messageOf(text: string, conversation: Conversation | undefined): Message {
  return {
    ...{ kind: 'message', role: 'user', messageId: randomUUID(), parts: [{ kind: 'text', text }] },
    ...conversation,
  };
}
