import { onlook } from '../broker/onlook.ts';
import type { OnbehalfError } from '../core/errors.ts';
import { describeCallFailure } from '../mcp/call-failure.ts';
import type { McpServer } from '../mcp/server.ts';

/** What could not be done on behalf of a user. It holds nothing secret. */
export interface PropagationFailure {
  /** `listing`: the server's tools could not be listed. `call`: a tool call could not be made. */
  readonly stage: 'listing' | 'call';
  /** Name of the server. */
  readonly server: string;
  /** Scopes that its tokens are asked for with. */
  readonly scopes: readonly string[];
  /** Why, and what can be done about it. */
  readonly error: OnbehalfError;
}

/** Tells of what was thrown, as far as it is ours to tell: an answer of the server is none. */
export function tellFailure(
  onFailure: ((failure: PropagationFailure) => void) | undefined,
  { stage, server, thrown }: Pick<PropagationFailure, 'stage'> & { server: McpServer; thrown: unknown },
): void {
  if (!onFailure) return;
  try {
    const error = describeCallFailure(server, thrown);
    const scopes = server.target?.scopes ?? [];
    if (error) onlook(onFailure, { stage, server: server.name, scopes, error });
  } catch {
    // Something was thrown that cannot even be looked at.
  }
}
