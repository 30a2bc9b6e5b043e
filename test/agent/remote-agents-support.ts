// What the tests of other agents stand on: an agent that has them as tools, run for a user; and an agent of bare HTTP, which can be
// made to do what no SDK does.
import { InMemorySessionService, LlmAgent, Runner } from '@google/adk';
import { decodeJwt } from 'jose';
import { onTestFinished } from 'vitest';
import { asRun, type Caller, knownCaller } from '../../src/agent/caller.ts';
import { createRemoteAgents, type RemoteAgents } from '../../src/agent/remote-agents.ts';
import { ScriptedModel } from '../../src/agent/scripted-model.ts';
import { type AgentTokenService, createTokenServices } from '../../src/agent/token-services.ts';
import { createTools } from '../../src/agent/toolsets.ts';
import { UniqueToolset } from '../../src/agent/unique-toolset.ts';
import { readRuntimeConfig } from '../../src/config/read-config.ts';
import type { RuntimeConfig } from '../../src/config/runtime-config.ts';
import { securityToken } from '../../src/core/token-types.ts';
import type { DevelopmentClient } from '../../src/sts/index.ts';
import { json, type Loopback, type Received, startLoopback } from '../support/loopback.ts';
import { AGENT, type Stage, setStage, tokenService } from './support.ts';

const SECRET = 'a-secret-for-tests-only';

/** A client of the STS that may have tokens for these. */
export const client = (clientId: string, ...audiences: string[]): DevelopmentClient => ({
  ...{ clientId, authentication: 'client_secret_basic', clientSecret: SECRET, audiences },
});

/** A stage on which the agent may have tokens for other agents, and these for what they call. */
export const setRemoteStage = (...others: readonly DevelopmentClient[]): Promise<Stage> =>
  setStage({ clients: [client(AGENT, 'callee', 'other', 'calendar'), ...others] });

/** What a model calls, turn by turn. */
export type Calls = readonly (readonly (readonly [tool: string, request: unknown])[])[];

export interface AskOptions {
  readonly session?: string;
  readonly signal?: AbortSignal;
  /** Called with each event of ADK's. */
  readonly onEvent?: () => void;
}

/** An agent with other agents as tools. */
export interface CallingAgent {
  readonly remotes: RemoteAgents;
  readonly services: readonly AgentTokenService[];
  /** Runs it for a user, to the end, and gives what its tools answered. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever a tool says is looked at
  ask(token: string, options?: AskOptions): Promise<any[]>;
}

/** Who sent a token. */
export function callerOf(token: string): Caller {
  const { iss = '', sub = '' } = decodeJwt(token);
  return knownCaller({ iss, sub }, securityToken(token));
}

/** A config, read as from a file. */
function readConfig(value: Readonly<Record<string, unknown>>): RuntimeConfig {
  const { config, problems } = readRuntimeConfig(value);
  if (problems) throw new Error(JSON.stringify(problems));
  return config;
}

/** A config with these other agents. */
export const remoteConfig = (
  { sts }: Pick<Stage, 'sts'>,
  agents: readonly object[],
  more: Readonly<Record<string, unknown>> = {},
): RuntimeConfig =>
  readConfig({
    name: 'team/assistant',
    model: { type: 'scripted', model: 'script', turns: [] },
    remote_agents: agents,
    token_exchange: { token_services: { sts: tokenService(sts) } },
    authentication: { mode: 'jwt', audience: AGENT, issuers: [{ issuer: sts.issuer }] },
    ...more,
  });

/** Assembles an agent as the server does. Its model makes these calls; default: one of `callee`. */
export function startCaller(config: RuntimeConfig, calls: Calls = [[['callee', 'Go.']]]): CallingAgent {
  const services = createTokenServices(config.token_exchange, {});
  const remotes = createRemoteAgents(config, services, { ADDRESS: 'x' });
  const { toolset, plugins } = createTools(config, services, {});
  const turns = calls.map((each) => ({
    calls: each.map(([name, request]) => ({
      name,
      args: name.endsWith('_tool') ? {} : { request },
    })),
  }));
  const agent = new LlmAgent({
    ...{ name: 'assistant', model: new ScriptedModel('script', [...turns, { text: 'All done.' }]) },
    tools: [
      new UniqueToolset([
        { name: 'remote_agents', toolset: remotes.toolset },
        { name: 'http_tools', toolset },
      ]),
    ],
  });
  const sessionService = new InMemorySessionService();
  const runner = new Runner({ appName: 'team/assistant', agent, sessionService, plugins: [...plugins] });
  onTestFinished(async () => {
    await remotes.close();
    await Promise.all(plugins.map((plugin) => plugin.close()));
    for (const { broker } of services) broker.close();
  });

  return {
    remotes,
    services,
    async ask(token, { session = 's', signal, onEvent } = {}) {
      const caller = callerOf(token);
      const its = { appName: runner.appName, userId: caller.userName, sessionId: session };
      if (!(await sessionService.getSession(its))) await sessionService.createSession(its);
      const run = { caller, contexts: [] };
      const answers: unknown[] = [];
      const newMessage = { role: 'user', parts: [{ text: 'Go.' }] };
      const perform = async (): Promise<void> => {
        const params = { userId: its.userId, sessionId: session, newMessage };
        for await (const { content } of runner.runAsync({
          ...params,
          ...(signal && { abortSignal: signal }),
        })) {
          for (const { functionResponse } of content?.parts ?? [])
            if (functionResponse) answers.push(functionResponse.response);
          onEvent?.();
        }
      };
      try {
        await asRun(run, perform);
      } finally {
        remotes.endRun(run);
      }
      return answers;
    },
  };
}

/** A JSON-RPC request as it arrived. */
export interface RpcRequest {
  readonly id: unknown;
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent is looked at
  readonly params: any;
}

/** What an agent of bare HTTP answers: a result; or a function that answers by itself. */
export type FakeAnswer = (
  request: RpcRequest,
  seen: Received,
) => object | ((response: Parameters<typeof json>[0]) => void);

export interface FakeAgent extends Loopback {
  readonly url: string;
  /** Requests of this method, as they came. */
  of(method: string): readonly (RpcRequest & { readonly authorization: string | undefined })[];
}

/** The last message of a conversation. */
export const said = (text: string, more: object = {}): object => ({
  ...{ kind: 'message', role: 'agent', messageId: 'm', contextId: 'c', parts: [{ kind: 'text', text }] },
  ...more,
});

/** A task in a state. */
export const task = (state: string, text = '', more: object = {}): object => ({
  ...{ kind: 'task', id: 't', contextId: 'c' },
  status: { state, ...(text && { message: said(text) }) },
  ...more,
});

/** Starts an agent that looks at no token. */
export async function startFakeAgent(answers: Readonly<Record<string, FakeAnswer>> = {}): Promise<FakeAgent> {
  const requests: (RpcRequest & { authorization: string | undefined })[] = [];
  const loopback = await startLoopback((seen, response) => {
    if (seen.method !== 'POST') return json(response, { error: 'not found' }, { status: 404 });
    const request = JSON.parse(seen.body) as RpcRequest;
    requests.push({ ...request, authorization: seen.headers.authorization });
    const answer = answers[request.method]?.(request, seen) ?? said('Done.');
    if (typeof answer === 'function') return answer(response);
    json(response, { jsonrpc: '2.0', id: request.id, result: answer });
  });
  return {
    ...loopback,
    received: loopback.received,
    url: `${loopback.origin}/agent`,
    of: (method) => requests.filter((request) => request.method === method),
  };
}

/** Answers with a JSON-RPC error. */
export const rpcError =
  (code: number, message: string): FakeAnswer =>
  ({ id }) =>
  (response) =>
    json(response, { jsonrpc: '2.0', id, error: { code, message } });

/** Answers with a status. */
export const answerStatus =
  (status: number, headers: Readonly<Record<string, string>> = {}): FakeAnswer =>
  () =>
  (response) =>
    void response.writeHead(status, headers).end();
