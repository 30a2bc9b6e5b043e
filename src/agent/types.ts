import type { BrokerObserver } from '../broker/observer.ts';

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
  /** Port on the same host for `/metrics` (Prometheus); 0 for a free one. Default: none. */
  readonly adminPort?: number | undefined;
  /** Most requests of one user in a minute; of callers of whom nothing is known, of one address. Default: 600. */
  readonly maxRequestsPerMinute?: number | undefined;
  /**
   * How often the files are looked at: when they have changed, new runs go by the new ones, and wrong ones are refused; 0 for never.
   * Default: 5,000.
   */
  readonly reloadIntervalMs?: number | undefined;
  /** Hears of exchanges, e.g. `telemetry.observer` of `onbehalf/telemetry`. Default: nobody. */
  readonly observer?: BrokerObserver | undefined;
  /** What `${NAME}` in the config stands for. Default: the environment of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /**
   * Hears, at start and with each reading of changed files, of fields of the config that are passed over, of what is unsafe, and of issuers whose
   * keys cannot be had. Default: nobody.
   */
  readonly onWarning?: ((warning: string) => void) | undefined;
  /** Hears why tokens could not be checked: of each issuer and kind of error once in 10 seconds, with how often it was. Default: nobody. */
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
  /** Where `/metrics` is, e.g. `http://127.0.0.1:9464`; `undefined` without `adminPort`. */
  readonly adminUrl: string | undefined;
  /**
   * Looks at the files now: new runs go by them when they have changed; those under way end as they began.
   *
   * @throws TypeError or OnbehalfError as `startAgentServer` when they are wrong; then the agent goes on as it is
   */
  reload(): Promise<'unchanged' | 'reloaded'>;
  /** Takes no more requests, lets runs end for a while, ends MCP sessions and forgets every token. */
  close(): Promise<void>;
}
