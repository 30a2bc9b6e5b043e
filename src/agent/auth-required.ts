import type { Part, TaskStatusUpdateEvent } from '@a2a-js/sdk';
import type { RequestContext } from '@a2a-js/sdk/server';
import { type Event, getFunctionResponses, getLogger } from '@google/adk';
import type { PropagationFailure } from '../adk/failure-hook.ts';
import { type AgentRun, currentRun } from './caller.ts';
import { finalStatus } from './run-failure.ts';
import { seldom } from './seldom.ts';

/** What only the user can do something about, as A2A clients are told of it. */
export interface UserNeed {
  /** Name of the server that cannot be called for this user. */
  readonly server: string;
  readonly reason: 'reauthentication_required' | 'consent_required';
  /** Scopes that the server's tokens are asked for with, separated by spaces. */
  readonly scope?: string;
  /** Claims challenge of the STS, JSON: for the identity provider, as the parameter `claims` of the user's next sign-in. */
  readonly claims?: string;
  /** Page of the STS on which the user can see to it. */
  readonly url?: string;
}

interface Noted {
  readonly stage: PropagationFailure['stage'];
  readonly need: UserNeed;
}

/** Apart from what tools answer: no server can say that the user is needed. */
const noted = new WeakMap<AgentRun, Noted[]>();

/** For the operator: what is told of it to the model, and to the caller, is gone with the answer. */
const tellSeldom = seldom((error) =>
  getLogger().warn(`onbehalf: ${error instanceof Error ? error.message : ''}`),
);

/** Notes, for the run that the running code belongs to, a failure of which only the user can be rid; others are not its business. */
export function noteFailure({ stage, server, scopes, error }: PropagationFailure): void {
  if (stage === 'call') {
    const { code, failure, message } = error;
    tellSeldom(
      JSON.stringify([server, code, failure]),
      new Error(`${server} was not called: ${code}: ${message}`),
    );
  }
  const run = currentRun();
  const { failure: reason, claimsChallenge: claims, errorUri: url } = error;
  if (!run || (reason !== 'reauthentication_required' && reason !== 'consent_required')) return;
  const scope = scopes.length > 0 && { scope: scopes.join(' ') };
  const more = { ...(claims !== undefined && { claims }), ...(url !== undefined && { url }) };
  const need = { server, reason, ...scope, ...more };
  noted.set(run, [...(noted.get(run) ?? []), { stage, need }]);
}

/**
 * What a run needs of its user, each server and reason once. Tools that could not be listed count only where the run cannot go on
 * without them.
 */
export function needsOf(run: AgentRun, withListings: boolean): readonly UserNeed[] {
  const all = (noted.get(run) ?? []).filter(({ stage }) => withListings || stage === 'call');
  const once = new Map(all.map(({ need }) => [JSON.stringify([need.server, need.reason]), need]));
  return [...once.values()];
}

/** A run's events as far as it goes without its user: the model must not answer over a call that only the user can make possible. */
export async function* untilNeeded(
  events: AsyncIterable<Event>,
  run: AgentRun,
): AsyncGenerator<Event, void, undefined> {
  for await (const event of events) {
    yield event;
    // With the response to the call, the session is in a state that a model can go on from.
    if (getFunctionResponses(event).length > 0 && needsOf(run, false).length > 0) return;
  }
}

/** The end of a task that waits for its user. */
export function authRequired(
  ids: Pick<RequestContext, 'taskId' | 'contextId'>,
  needs: readonly UserNeed[],
): TaskStatusUpdateEvent {
  const text = [...needs.map(inWords), NEXT].join(' ');
  const parts: Part[] = [
    { kind: 'text', text },
    ...needs.map((need): Part => ({ kind: 'data', data: { onbehalf: { ...need } } })),
  ];
  return finalStatus(ids, 'auth-required', parts);
}

function inWords({ server, reason, scope, claims, url }: UserNeed): string {
  const forScope = scope === undefined ? '' : ` (scope: ${scope})`;
  const where = url === undefined ? '.' : `: ${url}`;
  if (reason === 'consent_required') {
    const at = url === undefined ? ' at your identity provider' : '';
    return `${server} cannot be used for you before you have consented to it${forScope}${at}${where}`;
  }
  const how = claims === undefined ? '' : ', with the claims that come with this message';
  return `${server} cannot be used for you before you have signed in again${how}${forScope}${where}`;
}

const NEXT = 'Then send the next message of this task with a new token, and it goes on.';
