import type { Delegation } from '../../src/broker/delegation.ts';
import type { Broker, BrokerOptions } from '../../src/broker/types.ts';
import type { OnbehalfError } from '../../src/core/errors.ts';
import type { Target } from '../../src/core/target.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import type { Handler } from '../support/loopback.ts';
import type { Places } from './places.ts';

/** One fault, and what it must come to. */
export interface FaultRow {
  /** What is wrong. */
  readonly fault: string;
  /**
   * What each call comes to, in order: `ok`, `http 403`, `aborted`, or code and class of an error. A row may put in a
   * fact of its own between.
   */
  readonly outcome: string | readonly string[];
  /** Requests that reach the token endpoint, each try counted. */
  readonly sts: number;
  /** Requests that reach the MCP server. */
  readonly mcp: number;
  /** How the token endpoint answers. Default: it grants what is asked. */
  readonly answers?: () => Handler;
  /** How the MCP server answers. Default: 200. */
  readonly server?: () => Handler;
  /** What else is not as usual. */
  readonly given?: (places: Places) => Given | Promise<Given>;
  /** What is done. Default: one call. */
  readonly play?: (world: World) => unknown;
  /** Members of an error that belong to the outcome. */
  readonly shows?: readonly (keyof OnbehalfError)[];
}

/** What a row sets up in place of the usual. */
export interface Given {
  readonly service?: Partial<TokenServiceOptions>;
  readonly broker?: Partial<BrokerOptions>;
  /** Default: the audience `calendar`. */
  readonly target?: Target;
  /** The user's token; `undefined` when there is none. Default: one of alice. */
  readonly subject?: { readonly token: string | undefined };
  /** Counts the requests at a token endpoint that is not the usual one. */
  readonly exchanges?: () => number;
  /** What is done, in place of the row's own. */
  readonly play?: (world: World) => unknown;
}

/** One call through a delegated fetch. */
export interface Call {
  readonly signal?: AbortSignal;
  /** Whom it is for. Default: the user, in the broker's one run. */
  readonly delegation?: () => Delegation | undefined;
  /** Default: the MCP server's own URL. */
  readonly url?: string;
  readonly body?: RequestInit['body'];
  /** Another broker to ask. */
  readonly broker?: Broker;
  /** Members of an error that belong to this outcome. */
  readonly shows?: readonly (keyof OnbehalfError)[];
}

/** What a row plays in: the real parts, with its fault among them. */
export interface World {
  readonly places: Places;
  readonly service: TokenService;
  readonly broker: Broker;
  /** The run of the user that calls are made in, begun when it is first asked for. */
  run(broker?: Broker): Delegation;
  /** Makes a call and adds its outcome to the row's. Never throws. */
  call(call?: Call): Promise<string>;
  /** Adds a fact to the outcome. */
  note(fact: string): void;
  /** Another broker, of another replica. */
  replica(options?: Partial<BrokerOptions>): Broker;
}

/** What came of a row. */
export interface FaultResult {
  readonly fault: string;
  readonly expected: string;
  readonly got: string;
  readonly sts: Count;
  readonly mcp: Count;
  /** Where something showed that must not, or was left open. */
  readonly leaks: readonly string[];
  readonly ok: boolean;
}

interface Count {
  readonly expected: number;
  readonly got: number;
}
