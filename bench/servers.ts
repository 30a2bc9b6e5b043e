// The parent's handle on the child process that runs the STS and the MCP server.
import { startChild } from './child.ts';
import { total } from './stats.ts';

export interface ServerFacts {
  client: { clientId: string; clientSecret: string };
  audience: string;
  /** Whose token goes along as actor token. */
  agent: string;
  issuer: string;
  url: string;
}

export type Question =
  | { op: 'facts' }
  | { op: 'mint'; subs: string[]; audience: string }
  | { op: 'requests' }
  | { op: 'forget' }
  | { op: 'closeSessions' };

/** HTTP requests by kind: the JSON-RPC method, GET, DELETE, or what was asked of the STS. */
export type Requests = Record<string, number>;

export interface Servers extends ServerFacts {
  /** Tokens for these users, for the agent as audience (subject tokens) or for another one. */
  mint(subs: string[], audience?: string): Promise<string[]>;
  /** What has arrived since it was last asked, once nothing more is arriving. */
  takeRequests(): Promise<Requests>;
  /** Drops the MCP sessions that clients left behind. */
  closeSessions(): Promise<void>;
  close(): Promise<void>;
}

const SETTLE_MS = 15;

export async function startServers(): Promise<Servers> {
  const { ask, close } = startChild(new URL('./server-process.js', import.meta.url));
  const facts = await ask<ServerFacts>({ op: 'facts' });
  return {
    ...facts,
    mint: (subs, audience = facts.client.clientId) => ask({ op: 'mint', subs, audience }),
    async takeRequests() {
      // Asking without a pause keeps both processes awake: after a rest of some ms the next calls would be slow.
      let seen: Requests = {};
      let since = performance.now();
      while (performance.now() - since < SETTLE_MS) {
        const now = await ask<Requests>({ op: 'requests' });
        if (total(now) === total(seen)) continue;
        seen = now;
        since = performance.now();
      }
      await ask({ op: 'forget' });
      return seen;
    },
    closeSessions: () => ask({ op: 'closeSessions' }),
    close,
  };
}
