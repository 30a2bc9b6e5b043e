// What a client has to be, so that the isolation suite can be run on it. Nothing of vitest in here: the suites of
// frameworks that need a later Node run it in a program of their own.
import type { ActorSource, Broker, Delegation } from '../../src/index.ts';

/** One of the suite's MCP servers. */
export interface TestServer {
  readonly name: string;
  /** Endpoint of its Streamable HTTP transport. */
  readonly url: string;
  /** What its tokens are for: the `target` of the adapter. */
  readonly audience: string;
  /** The one tool that it has; no other server has a tool of this name. It takes `{ marker: string }`. */
  readonly tool: string;
  /** Static header fields to give to the adapter where it takes some: a made-up API key, which no thief may see. */
  readonly headers: Readonly<Record<string, string>>;
  /** The agent's own token for this server: for `agentCredential`. The server named `vault` lists its tools for that only. */
  readonly agentCredential: ActorSource;
}

/** Where a client is started. Nobody's delegation is current then: it connects and lists outside any user's context. */
export interface ClientWorld {
  readonly broker: Broker;
  readonly servers: readonly TestServer[];
}

/** A client that all users share. */
export interface RunningClient {
  /**
   * Calls a tool on behalf of a user (`runAs(user, ...)`, or whatever the framework has for it).
   *
   * @param server - name of the server
   * @param args - `{ marker }`
   * @returns the text of the tool's result, be it an error or not, as the framework gives it to the model
   * @throws what the framework throws, with its message and causes: a code of Onbehalf is looked for in them
   */
  call(user: Delegation, server: string, tool: string, args: { readonly marker: string }): Promise<string>;
  /** Closes everything. When it resolves no request is under way any more, and no MCP session is left open. */
  close(): Promise<void>;
}

/** One adapter, as the isolation suite takes it. */
export interface ClientUnderTest {
  /** Names the line of counts. */
  readonly name: string;
  /** Makes ONE client object for each server, or one for all, where the framework has such a thing. */
  start(world: ClientWorld): Promise<RunningClient>;
}
