import {
  BasePlugin,
  type BaseSessionService,
  type Context,
  createEvent,
  type Event,
  getFunctionCalls,
  REQUEST_CONFIRMATION_FUNCTION_CALL_NAME,
  type Session,
} from '@google/adk';
import { answeredIds, pendingApprovals } from './approvals-pending.ts';
import { type AgentRun, currentRun } from './caller.ts';

/** By run, what its tools have answered, by call. */
const given = new WeakMap<AgentRun, Map<string, Readonly<Record<string, unknown>>>>();

/**
 * Notes what tools answer. Where one call of several waits for the user's approval, ADK drops what the others of the same step were
 * answered, though they were made.
 */
export class CallWitness extends BasePlugin {
  constructor() {
    super('onbehalf:calls');
  }

  override async afterToolCallback({
    toolContext,
    result,
  }: {
    toolContext: Context;
    result: unknown;
  }): Promise<undefined> {
    const run = currentRun();
    const { functionCallId: id } = toolContext;
    if (!run || id === undefined || result === null || result === undefined) return;
    const answers = given.get(run) ?? new Map();
    given.set(run, answers.set(id, typeof result === 'object' ? result : { result }));
  }
}

/** Forgets what the tools of a run have answered, which may be much. */
export function forgetAnswers(run: AgentRun): void {
  given.delete(run);
}

/** What stands in a session for the answer to a call of which there is none. */
const NO_ANSWER = {
  error: 'The run ended before there was an answer to this call. Whether it was carried out is not known.',
};

/**
 * Gives every call that is left unanswered an answer in the session: most models take no history in which a call has none, so nobody
 * could go on in it. Calls that wait for the user's approval stay open.
 *
 * @param isAlone - whether nobody else is at work in the session; else only the run's own calls are looked at
 * @returns how many calls of the run had no answer
 */
export async function answerOpenCalls(
  sessions: BaseSessionService,
  run: AgentRun,
  isAlone: boolean,
): Promise<number> {
  let own = 0;
  for (const { session: known, invocationId } of run.contexts) {
    const { appName, userId, id: sessionId } = known;
    const session = await sessions.getSession({ appName, userId, sessionId });
    if (!session) continue;
    for (const { event, calls } of openCalls(session)) {
      const isOwn = event.invocationId === invocationId;
      if (isOwn) own += calls.length;
      if (isOwn || isAlone)
        await sessions.appendEvent({ session, event: answerTo(event, calls, given.get(run)) });
    }
  }
  return own;
}

/** What the model finds where a task was cancelled while its call waited for the user. */
const WITHDRAWN = { error: 'The task was cancelled before this call was approved, and it was not made.' };

/** Rejects, for good, what waits for the user in a session. */
export async function withdrawApprovals(sessions: BaseSessionService, session: Session): Promise<void> {
  const pending = pendingApprovals(session.events);
  if (pending.length === 0) return;
  const name = REQUEST_CONFIRMATION_FUNCTION_CALL_NAME;
  const parts = pending.map(({ requestId: id }) => ({
    functionResponse: { id, name, response: { confirmed: false } },
  }));
  const answer = createEvent({ author: 'user', content: { role: 'user', parts } });
  await sessions.appendEvent({ session, event: answer });
  const answers = new Map(pending.map(({ callId }) => [callId, WITHDRAWN]));
  for (const { event, calls } of openCalls(session)) {
    await sessions.appendEvent({ session, event: answerTo(event, calls, answers) });
  }
}

interface Call {
  readonly id: string;
  readonly name: string;
}

function openCalls({
  events,
}: Session): readonly { readonly event: Event; readonly calls: readonly Call[] }[] {
  const settled = new Set(answeredIds(events));
  for (const { requestId, callId } of pendingApprovals(events)) settled.add(requestId).add(callId);
  return events.flatMap((event) => {
    const calls = getFunctionCalls(event).flatMap(({ id, name }) =>
      id === undefined || name === undefined || settled.has(id) ? [] : [{ id, name }],
    );
    return calls.length > 0 ? [{ event, calls }] : [];
  });
}

function answerTo(
  { invocationId, author, branch }: Event,
  calls: readonly Call[],
  answers: ReadonlyMap<string, Readonly<Record<string, unknown>>> | undefined,
): Event {
  const parts = calls.map(({ id, name }) => ({
    functionResponse: { id, name, response: { ...(answers?.get(id) ?? NO_ANSWER) } },
  }));
  return createEvent({
    ...{ invocationId, content: { role: 'user', parts } },
    ...(author !== undefined && { author }),
    ...(branch !== undefined && { branch }),
  });
}
