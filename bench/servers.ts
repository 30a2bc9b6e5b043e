// The parent's handle on the child process that runs the STS and the MCP server.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { total } from './stats.ts';

export interface ServerFacts {
  client: { clientId: string; clientSecret: string };
  audience: string;
  /** Whose token goes along as actor token. */
  agent: string;
  issuer: string;
  url: string;
}

export type Question = { id: number } & (
  | { op: 'facts' }
  | { op: 'mint'; subs: string[]; audience: string }
  | { op: 'requests' }
  | { op: 'forget' }
  | { op: 'closeSessions' }
);

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
  const child = fork(new URL('./server-process.js', import.meta.url), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  child.on('message', ({ id, result }: { id: number; result: unknown }) => {
    waiting.get(id)?.resolve(result);
    waiting.delete(id);
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the server process ended (${code})`));
  });

  function ask<Result>(question: Record<string, unknown>): Promise<Result> {
    lastId += 1;
    const id = lastId;
    return new Promise<Result>((resolve, reject) => {
      waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
      child.send({ id, ...question });
    });
  }

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
    async close() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}
