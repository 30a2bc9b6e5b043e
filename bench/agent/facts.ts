// What the processes of the agent bench know of each other.

export const AGENT = 'bench-agent';
export const CLIENT_SECRET = 'bench-secret-of-a-loopback-process';
export const SERVERS = ['calendar', 'mail'] as const;

export interface WorldFacts {
  readonly issuer: string;
  readonly servers: readonly { readonly name: string; readonly url: string }[];
}

export type WorldQuestion =
  | { readonly op: 'facts' }
  | { readonly op: 'mint'; readonly subs: string[]; readonly audience: string }
  | { readonly op: 'calls' };

export interface StockQuestion {
  readonly op: 'start';
  readonly servers: WorldFacts['servers'];
  /** One for each server, for all users: a static header is all that stock toolsets can send. */
  readonly tokens: readonly string[];
}

/** Where the stock agent is. */
export interface StockUrls {
  /** One agent with its toolsets for everybody, as ADK's documentation has it: each run that ends closes the sessions of all others. */
  readonly asDocumented: string;
  /** An agent and toolsets of its own for each run, where nobody closes anything of anybody else. */
  readonly perRun: string;
}
