import {
  BasePlugin,
  type BaseTool,
  type Context,
  type Event,
  getLogger,
  type InvocationContext,
  isAgentTool,
  type MCPToolset,
  type ReadonlyContext,
  type Runner,
} from '@google/adk';
import type { Delegation } from '../broker/delegation.ts';
import type { Broker } from '../broker/types.ts';
import { currentDelegation, iterateAs, runAs } from '../context/carrier.ts';
import { isOnbehalfError, OnbehalfError } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import type { Target } from '../core/target.ts';
import type { DiscoveredTarget } from '../mcp/discovered-target.ts';
import { defineMcpServer, type McpServer } from '../mcp/server.ts';
import { createSessionPool, type SessionPool, type SessionPoolOptions } from '../mcp/session-pool.ts';
import { createToolCatalogue, type ToolCatalogue, type ToolCatalogueOptions } from '../mcp/tool-catalogue.ts';
import { type ToolError, toolError } from '../mcp/tool-error.ts';
import { readToolset } from './adopt.ts';
import { bind, bindingOf, type ToolsetBinding } from './binding.ts';
import { delegatedTools } from './delegated-tools.ts';
import { type PropagationFailure, tellFailure } from './failure-hook.ts';
import { createHeaderProvider, type HeaderProvider, type HeaderProviderOptions } from './header-provider.ts';
import { createRunRegistry, type RunRegistry } from './run-registry.ts';
import { DelegatedMCPToolset, type DelegatedMCPToolsetOptions, toolsetOptions } from './toolset.ts';

/** Finds the subject token of a run that was not started by `plugin.runAsync`. */
export type SubjectTokenGetter = (
  context: InvocationContext,
) => string | undefined | Promise<string | undefined>;

/** Options of {@link ADKTokenPropagationPlugin}. */
export interface ADKTokenPropagationPluginOptions {
  /** Who gives the tokens. It stays the caller's to close. */
  readonly broker: Broker;
  /**
   * Where the subject token of a run comes from when neither `plugin.runAsync` nor `runAs` says on whose behalf it is.
   * Default: nowhere, so that such a run has no user.
   */
  readonly subjectToken?: SubjectTokenGetter | undefined;
  /** Bounds of the pool of MCP sessions. */
  readonly sessions?: Omit<SessionPoolOptions, 'broker'> | undefined;
  /** Bounds of the catalogue of tools. */
  readonly catalogue?: Omit<ToolCatalogueOptions, 'pool'> | undefined;
  /** Plugin name within a runner. Default: `onbehalf`. */
  readonly name?: string | undefined;
  /**
   * Hears of each tool call and each listing that could not be made, whatever becomes of it: by what the model is told, nobody can
   * tell it from what a server said. It is called in the asynchronous context of the run; what it throws is dropped. Default: nobody.
   */
  readonly onFailure?: ((failure: PropagationFailure) => void) | undefined;
}

/** Parameters of `Runner.runAsync`, and who the run is for. */
export type DelegatedRunParams = Parameters<Runner['runAsync']>[0] & {
  /** The user's token as it came in, without `Bearer`. */
  readonly subjectToken: string | undefined;
  /** Token type identifier (RFC 8693 section 3). Default: access token. */
  readonly subjectTokenType?: string | undefined;
};

/**
 * Makes each MCP tool call of an ADK agent on behalf of the run's user, with a token for that server only.
 *
 * The subject token is taken when a run begins and exchanged at the first call that needs it, once per server; when
 * the run ends its tokens are cleared. Tools that are not MCP tools never cause an exchange. A failed exchange becomes
 * a tool response that the model can read, and no request is sent.
 *
 * A server that shows its tools only for a token is listed with the agent's own (`agentCredential`) where there is one,
 * else with the user's, which is then exchanged when the tools are listed.
 */
export class ADKTokenPropagationPlugin extends BasePlugin {
  readonly #broker: Broker;
  readonly #subjectToken: SubjectTokenGetter | undefined;
  readonly #onFailure: ADKTokenPropagationPluginOptions['onFailure'];
  readonly #pool: SessionPool;
  readonly #catalogue: ToolCatalogue;
  readonly #runs: RunRegistry;
  readonly #carrying: WeakSet<BaseTool> = new WeakSet();
  readonly #warned: Set<string> = new Set();

  constructor(options: ADKTokenPropagationPluginOptions) {
    super(options?.name ?? 'onbehalf');
    checkOptions(options, 'ADKTokenPropagationPlugin', {
      broker: 'object',
      subjectToken: 'function?',
      sessions: 'object?',
      catalogue: 'object?',
      name: 'text?',
      onFailure: 'function?',
    });
    this.#broker = options.broker;
    this.#onFailure = options.onFailure;
    this.#runs = createRunRegistry(options.broker.status);
    this.#subjectToken = options.subjectToken;
    this.#pool = createSessionPool({ ...options.sessions, broker: options.broker });
    this.#catalogue = createToolCatalogue({ ...options.catalogue, pool: this.#pool });
  }

  /**
   * Runs an agent on behalf of a user. The run's tokens are cleared when the iteration ends, also when it is broken
   * off or throws, of which ADK itself tells no plugin.
   *
   * @throws OnbehalfError `subject_missing`, `subject_malformed` or `subject_expired` at the first step
   */
  async *runAsync(runner: Runner, params: DelegatedRunParams): AsyncGenerator<Event, void, undefined> {
    const { subjectToken, subjectTokenType, ...run } = params;
    const session = sessionLabel(runner.appName, run.userId, run.sessionId);
    const delegation = this.#broker.begin({ subjectToken, subjectTokenType, session });
    try {
      yield* iterateAs(delegation, () => runner.runAsync(run));
    } finally {
      this.#runs.drop(delegation);
      this.#broker.end(delegation);
    }
  }

  /** MCP sessions that are kept, for a gauge. */
  get sessions(): number {
    return this.#pool.size;
  }

  /**
   * Makes a toolset act on behalf of users: a `DelegatedMCPToolset`, or ADK's own `MCPToolset` over Streamable HTTP.
   *
   * @param target - audience, or the richer target; overrides the toolset's own, and is needed where it has none
   * @throws OnbehalfError `toolset_unsupported`, `insecure_url`
   * @throws TypeError without a target, or when the toolset is registered already
   */
  registerToolset(toolset: MCPToolset, target?: Target | DiscoveredTarget | string): void {
    const { manager, server: options } = readToolset(toolset, target);
    const binding = this.#bindingFor(defineMcpServer(options), toolset);
    bind(toolset, manager, binding);
    if (toolset instanceof DelegatedMCPToolset) return;
    toolset.getTools = (context) => delegatedTools(binding, toolset, context);
  }

  /**
   * A synchronous header provider for a registered toolset's server: its static fields, below the allowed inbound ones,
   * below the `Authorization` with the kept token. It never exchanges.
   *
   * @throws OnbehalfError `toolset_unregistered`
   */
  headerProvider(
    toolset: MCPToolset,
    inbound: Pick<
      HeaderProviderOptions<ReadonlyContext | undefined>,
      'allowedHeaders' | 'inboundHeaders'
    > = {},
  ): HeaderProvider<ReadonlyContext | undefined> {
    const binding = bindingOf(toolset);
    if (binding?.owner !== this) {
      throw new OnbehalfError('toolset_unregistered', 'the toolset is not registered with this plugin', {
        failure: 'misconfigured',
      });
    }
    const delegation = (context: ReadonlyContext | undefined): Delegation => this.#runs.find(context);
    const { target, headers, name } = binding.server;
    if (!target)
      throw new TypeError(`the target of ${name} is discovered, so it is not known to a header provider`);
    return createHeaderProvider({ ...inbound, broker: this.#broker, target, headers: headers(), delegation });
  }

  /** S1: takes the subject token of the run and exchanges nothing. Never throws: that would kill the run. */
  override async beforeRunCallback({
    invocationContext,
  }: {
    invocationContext: InvocationContext;
  }): Promise<undefined> {
    const { invocationId } = invocationContext;
    try {
      // A carried delegation was begun by whoever started the run, who ends it too. One that has ended is adopted all
      // the same, so that its calls fail: the run was meant for that user and for nobody else.
      const carried = currentDelegation();
      const own = !carried || this.#broker.status(carried) === 'unknown';
      this.#runs.add(invocationId, { delegation: own ? await this.#begin(invocationContext) : carried, own });
    } catch (error) {
      const known = isOnbehalfError(error) ? error : missing('the source of the subject token failed');
      this.#runs.add(invocationId, { error: known, endsAt: Date.now() + 3_600_000 });
    }
  }

  /** S2, S3: exchanges at the first call of an MCP tool; other tools are not its business. Never throws. */
  override async beforeToolCallback({
    tool,
    toolArgs,
    toolContext,
  }: {
    tool: BaseTool;
    toolArgs: Record<string, unknown>;
    toolContext: Context;
  }): Promise<ToolError | undefined> {
    if (isAgentTool(tool)) this.#carryInto(tool);
    const binding = bindingOf(tool);
    if (binding?.owner !== this) return undefined;
    try {
      // A call that still waits for the user's approval is no reason for an exchange.
      if (
        !toolContext.toolConfirmation?.confirmed &&
        (await tool.checkRequireConfirmation(toolArgs, toolContext))
      ) {
        return undefined;
      }
      await binding.ready(toolContext, toolContext.abortSignal);
      return undefined;
    } catch (error) {
      // An abort is not ours to tell: the call meets it by itself, and fails there.
      return toolContext.abortSignal?.aborted ? undefined : toolError(binding.server, error);
    }
  }

  /** S7: ends what `beforeRunCallback` began; with the last run of a session and subject its tokens go. */
  override async afterRunCallback({
    invocationContext,
  }: {
    invocationContext: InvocationContext;
  }): Promise<void> {
    const record = this.#runs.take(invocationContext.invocationId);
    if (record && 'delegation' in record && record.own) this.#broker.end(record.delegation);
  }

  /** Resolves when the sessions of ended runs have been closed at their servers. */
  settled(): Promise<void> {
    return this.#pool.settled();
  }

  /** Closes all MCP sessions. The broker is the caller's, and stays open. */
  async close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.#catalogue.close()]);
  }

  async #begin(context: InvocationContext): Promise<Delegation> {
    if (!this.#subjectToken) {
      throw missing(
        'nothing says on whose behalf this run is: start it with plugin.runAsync(), or set "subjectToken"',
      );
    }
    const subjectToken = await this.#subjectToken(context);
    const session = sessionLabel(context.appName, context.userId, context.session.id);
    return this.#broker.begin({ subjectToken, session });
  }

  #bindingFor(server: McpServer, toolset: MCPToolset): ToolsetBinding {
    const { discovery, agentCredential }: Partial<DelegatedMCPToolsetOptions> =
      toolset instanceof DelegatedMCPToolset ? toolsetOptions(toolset) : {};
    return {
      server,
      owner: this,
      list: async (context) => {
        const delegation = this.#findOrNone(context);
        const signal = context?.invocationContext.abortSignal;
        try {
          return await this.#catalogue.list(server, { discovery, agentCredential, delegation, signal });
        } catch (error) {
          this.#warn(server, error);
          if (!signal?.aborted) tellFailure(this.#onFailure, { stage: 'listing', server, thrown: error });
          return [];
        }
      },
      ready: (context, signal) =>
        this.#heard(server, signal, async () => {
          const delegation = this.#runs.find(context);
          const target = server.target ?? (await server.resolveTarget(signal));
          await this.#broker.token(delegation, target, { signal });
        }),
      call: (context, use, signal) =>
        this.#heard(server, signal, async () =>
          this.#pool.call(server, this.#runs.find(context), use, { signal }),
        ),
    };
  }

  /** Does what a call needs, and tells of its failure. */
  async #heard<T>(server: McpServer, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // An abort is the run's own doing.
      if (!signal?.aborted) tellFailure(this.#onFailure, { stage: 'call', server, thrown: error });
      throw error;
    }
  }

  /** Plugins do not run inside an AgentTool, so the tool takes the run's delegation along, at each of its calls. */
  #carryInto(tool: BaseTool): void {
    if (this.#carrying.has(tool)) return;
    this.#carrying.add(tool);
    const run = tool.runAsync.bind(tool);
    tool.runAsync = (request) => {
      const delegation = this.#findOrNone(request.toolContext);
      return delegation ? runAs(delegation, () => run(request)) : run(request);
    };
  }

  #findOrNone(context: ReadonlyContext | undefined): Delegation | undefined {
    try {
      return this.#runs.find(context);
    } catch {
      return undefined;
    }
  }

  /** A server whose tools cannot be listed must not kill the run; once, somebody should hear of it. */
  #warn(server: McpServer, error: unknown): void {
    const told = toolError(server, error)?.error;
    const once = `${server.id} ${told?.code}`;
    if (this.#warned.has(once)) return;
    this.#warned.add(once);
    const why = told?.message ?? 'the listing failed';
    getLogger().warn(`onbehalf: the tools of ${server.name} cannot be listed: ${why}`);
  }
}

function missing(message: string): OnbehalfError {
  return new OnbehalfError('subject_missing', message, { failure: 'reauthentication_required' });
}

function sessionLabel(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}
