// The parent's handle on the child process that runs the token endpoint and the MCP servers.
import { type Broker, type BrokerOptions, createBroker, createTokenService } from 'onbehalf';
import { startChild } from '../child.ts';
import type { SessionCounts } from './bench-server.ts';

/**
 * `sdk`: written with the MCP SDK; `plain`: by hand, JSON answers. Both are measured with. `calendar` and `mail`: by hand,
 * with JSON and with event streams; the crowds call them, and they say who called.
 */
export type ServerName = 'sdk' | 'plain' | 'calendar' | 'mail';

export interface McpFacts {
  readonly tokenEndpoint: string;
  readonly urls: Readonly<Record<ServerName, string>>;
}

/** Since the start. */
export interface Counts {
  /** Requests at the token endpoint. */
  readonly exchanges: number;
  readonly servers: Readonly<Record<ServerName, SessionCounts>>;
}

export type Question = { op: 'facts' } | { op: 'counts' } | { op: 'forgetMost' };

export interface McpServers extends McpFacts {
  counts(): Promise<Counts>;
  /** Counts the most sessions at once anew. */
  forgetMost(): Promise<void>;
  close(): Promise<void>;
}

export async function startMcpServers(): Promise<McpServers> {
  const { ask, close } = startChild(new URL('./server-process.js', import.meta.url));
  const facts = await ask<McpFacts>({ op: 'facts' });
  return {
    ...facts,
    counts: () => ask({ op: 'counts' }),
    forgetMost: () => ask({ op: 'forgetMost' }),
    close,
  };
}

/** A broker at that token endpoint. */
export function brokerOf(
  { tokenEndpoint }: Pick<McpFacts, 'tokenEndpoint'>,
  more: Partial<BrokerOptions> = {},
): Broker {
  return createBroker({
    tokenService: createTokenService({ tokenEndpoint, clientId: 'bench-agent' }),
    ...more,
  });
}
