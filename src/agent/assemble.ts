import {
  BasePlugin,
  type BaseSessionService,
  InMemoryMemoryService,
  type InvocationContext,
  LlmAgent,
  Runner,
} from '@google/adk';
import type { BrokerObserver } from '../broker/observer.ts';
import type { RuntimeConfig } from '../config/runtime-config.ts';
import { textOrFile } from '../config/secret-text.ts';
import { readSecret } from '../core/secret.ts';
import { type AgentRun, currentRun } from './caller.ts';
import { createModel } from './models.ts';
import { createRemoteAgents } from './remote-agents.ts';
import { type AgentTokenService, createTokenServices, type Environment } from './token-services.ts';
import { createTools } from './toolsets.ts';
import { UniqueToolset } from './unique-toolset.ts';

/** An agent that can be run. */
export interface AssembledAgent {
  readonly runner: Runner;
  readonly warnings: readonly string[];
  /** Ends what a run began, of which ADK does not tell when it broke off. */
  endRun(run: AgentRun): Promise<void>;
  /** Forgets the conversations with other agents that a user's session had. */
  dropContext(sessionId: string, userName: string): void;
  /** Closes MCP sessions, and forgets every token. */
  close(): Promise<void>;
}

/** What an agent is put together with. */
export interface AssembleParts {
  /** Where conversations are, and under which name of an agent. */
  readonly sessions: BaseSessionService;
  readonly appName: string;
  readonly environment: Environment;
  /** Hears of exchanges. */
  readonly observer: BrokerObserver;
}

/**
 * Makes the agent of a config, with its tools and the plugins that act for its users. Nothing is sent: servers that are down do not
 * keep it from starting.
 *
 * @throws TypeError or OnbehalfError that names the field of the config
 */
export async function assemble(
  config: RuntimeConfig,
  { sessions, appName, environment, observer }: AssembleParts,
): Promise<AssembledAgent> {
  if (config.model === null) throw new TypeError('model: is null, and this server needs one');
  const services = createTokenServices(config.token_exchange, environment, observer);
  try {
    const model = await createModel(config.model, environment);
    const { toolset, plugins, warnings } = createTools(config, services, environment);
    const remotes = createRemoteAgents(config, services, environment);
    const { temperature, max_tokens: maxOutputTokens } = config.model;
    const agent = new LlmAgent({
      name: identifier(appName),
      description: config.description,
      instruction: instructionOf(config),
      model,
      // Before those of servers, so that none of them gets what is meant for another agent.
      tools: [
        new UniqueToolset([
          { name: 'remote_agents', toolset: remotes.toolset },
          { name: 'the servers', toolset },
        ]),
      ],
      generateContentConfig: {
        ...(temperature !== undefined && { temperature }),
        ...(maxOutputTokens !== undefined && { maxOutputTokens }),
      },
    });
    const runner = new Runner({
      appName,
      agent,
      sessionService: sessions,
      memoryService: new InMemoryMemoryService(),
      plugins: [new RunWitness(), ...plugins],
    });
    return {
      runner,
      warnings: [...warnings, ...remotes.warnings],
      dropContext: remotes.dropContext,
      async endRun(run) {
        const { contexts } = run;
        remotes.endRun(run);
        for (const invocationContext of contexts) {
          await Promise.all(plugins.map((plugin) => plugin.afterRunCallback({ invocationContext })));
        }
      },
      async close() {
        // While there still are tokens to cancel its tasks with.
        await Promise.allSettled([remotes.close()]);
        await Promise.allSettled(plugins.map((plugin) => plugin.close()));
        closeAll(services);
      },
    };
  } catch (error) {
    closeAll(services);
    throw error;
  }
}

/** Notes what ADK calls a run, so that the run can be ended by whoever began it. */
class RunWitness extends BasePlugin {
  constructor() {
    super('onbehalf:run');
  }

  override async beforeRunCallback({
    invocationContext,
  }: {
    invocationContext: InvocationContext;
  }): Promise<undefined> {
    currentRun()?.contexts.push(invocationContext);
  }
}

function closeAll(services: readonly AgentTokenService[]): void {
  for (const { broker } of services) broker.close();
}

/** A function, because ADK takes braces in a text for variables of the session. From a file it is read for each run. */
function instructionOf({ instruction }: RuntimeConfig): () => Promise<string> {
  const source = textOrFile(instruction);
  return () => readSecret(source, 'instruction');
}

/** What ADK takes for a name: `team/my-agent` is `team__my_agent`. */
function identifier(name: string): string {
  const plain = name.replaceAll('/', '__').replaceAll(/\W/g, '_');
  return /^[A-Za-z_]/.test(plain) && plain !== 'user' ? plain : `agent_${plain}`;
}
