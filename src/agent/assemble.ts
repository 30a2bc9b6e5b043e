import { BasePlugin, type BaseSessionService, type InvocationContext, LlmAgent, Runner } from '@google/adk';
import type { BrokerObserver } from '../broker/observer.ts';
import type { RuntimeConfig } from '../config/runtime-config.ts';
import { textOrFile } from '../config/secret-text.ts';
import { readSecret } from '../core/secret.ts';
import { AdkNames } from './adk-names.ts';
import { type AgentRun, currentRun } from './caller.ts';
import { configuredMemory } from './memory.ts';
import type { AgentMemory } from './memory-service.ts';
import { samplingOf } from './models/sampling.ts';
import { createModel } from './models.ts';
import { createRemoteAgents } from './remote-agents.ts';
import { type AgentTokenService, createTokenServices, type Environment } from './token-services.ts';
import { createTools } from './toolsets.ts';
import { UniqueToolset } from './unique-toolset.ts';

/** An agent that can be run. */
export interface AssembledAgent {
  readonly runner: Runner;
  readonly warnings: readonly string[];
  /** How many tokens are kept. */
  tokens(): number;
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
  /** What is kept for users from one conversation to the next, where the config has it. */
  readonly memory: AgentMemory;
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
  { sessions, appName, environment, memory, observer }: AssembleParts,
): Promise<AssembledAgent> {
  if (config.model === null) throw new TypeError('model: is null, and this server needs one');
  const services = createTokenServices(config.token_exchange, environment, observer);
  try {
    const model = await createModel(config.model, environment);
    const { toolset, plugins, warnings } = createTools(config, services, environment);
    const remotes = createRemoteAgents(config, services, environment);
    const { service: memoryService, ...remembering } = configuredMemory(config, memory);
    const agent = new LlmAgent({
      name: identifier(appName),
      description: config.description,
      instruction: instructionOf(config),
      model,
      // Before those of servers, so that none of them gets what is meant for another agent.
      tools: [
        new UniqueToolset([
          ...remembering.toolsets,
          { name: 'remote_agents', toolset: remotes.toolset },
          { name: 'the servers', toolset },
        ]),
      ],
      generateContentConfig: samplingOf(config.model),
    });
    const runner = new Runner({
      appName,
      agent,
      sessionService: sessions,
      ...(memoryService && { memoryService }),
      plugins: [new AdkNames(), new RunWitness(), ...plugins],
    });
    return {
      runner,
      warnings: [...warnings, ...remotes.warnings, ...remembering.warnings],
      tokens: () => services.reduce((sum, { broker }) => sum + broker.stats().entries, 0),
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
