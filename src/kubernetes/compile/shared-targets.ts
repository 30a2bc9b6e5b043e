import { parseUrl } from '../../core/url.ts';
import type { TargetStatus } from '../api/agent.ts';
import type { Context } from './context.ts';
import type { At } from './report.ts';

/** What the tokens for a tool are for, and where they go. */
export interface AimedTool {
  readonly at: At;
  readonly url: string;
  readonly status: TargetStatus;
}

const FIELDS = ['audiences', 'resources'] as const;

/**
 * S11: different servers never share a token. A server that says another server's audience would get tokens that are good
 * there, from whoever writes that server's object. Where two origins are one service, the Agent says so itself.
 */
export function reportSharedTargets(context: Context, tools: readonly AimedTool[]): void {
  for (const [index, tool] of tools.entries()) {
    for (const other of tools.slice(0, index)) {
      if (originOf(tool.url) === originOf(other.url)) continue;
      const shared = sharedValue(tool.status, other.status);
      if (shared === undefined) continue;
      const message =
        `a token for ${JSON.stringify(shared)} would go to ${tool.status.server} and to ${other.status.server}, which have different origins, so that each could ` +
        'use it at the other: give one of them a target of its own; if they are one service, say the target at both tool references';
      context.report(tool.at, 'Invalid', message);
    }
  }
}

/** A value of both that the Agent has not said of both itself. */
function sharedValue(one: TargetStatus, other: TargetStatus): string | undefined {
  return FIELDS.flatMap((field) => {
    if (one.from?.[field] === 'tool' && other.from?.[field] === 'tool') return [];
    return (one[field] ?? []).filter((value) => other[field]?.includes(value));
  })[0];
}

function originOf(url: string): string | undefined {
  const parsed = parseUrl(url);
  return parsed && `${parsed.protocol}//${parsed.host}`;
}
