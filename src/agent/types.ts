/** Options of `startAgentServer`. Times in milliseconds. */
export interface AgentServerOptions {
  /** Folder with `config.json` and `agent-card.json`. */
  readonly folder: string;
  /** Address to listen on. Default: 127.0.0.1. */
  readonly host?: string | undefined;
  /** Port to listen on; 0 for a free one. Default: 8080. */
  readonly port?: number | undefined;
  /** How long runs under way may go on at the end. Default: 20,000. */
  readonly graceMs?: number | undefined;
  /**
   * Most conversations that are remembered. When there is no room, the least recently used goes: one of the same user where that one has
   * a tenth of them, else one of whoever has. A conversation of more than 4 MiB is closed. Default: 1,000.
   */
  readonly maxContexts?: number | undefined;
  /** How long a conversation is remembered after its last message. Default: one hour. */
  readonly contextTtlMs?: number | undefined;
  /** What `${NAME}` in the config stands for. Default: the environment of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Hears, once at start, of fields of the config that are passed over, and of what is unsafe. Default: nobody. */
  readonly onWarning?: ((warning: string) => void) | undefined;
  /** Hears why a token could not be checked. Default: nobody. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** An agent that is served. */
export interface AgentServer {
  /** Where it listens, e.g. `http://127.0.0.1:8080`; JSON-RPC is at `/`. */
  readonly url: string;
  /** URL of the agent card. */
  readonly cardUrl: string;
  /** Name of the agent. */
  readonly name: string;
  /** Takes no more requests, lets runs end for a while, ends MCP sessions and forgets every token. */
  close(): Promise<void>;
}
