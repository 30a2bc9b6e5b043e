// Plays the six runs and compares what was recorded with what was promised.
import { isDeepStrictEqual } from 'node:util';
import type { BasePlugin, Event } from '@google/adk';
import type { ExchangeEvent } from 'onbehalf';
import type { RecordedRequest } from './mcp-server.ts';
import { PLANS, type RunPlan } from './plans.ts';
import { ALWAYS, type Promised, type RunReport, type Seen, type ToolAnswer } from './promises.ts';
import { AGENT, APP, SERVERS, startWorld, type World } from './world.ts';

export interface DemoOptions {
  /** Called when a run is over, while the next has not begun. */
  onRun?: (result: RunResult) => void;
  /** Sees every event of every agent run. */
  onEvent?: (event: Event) => void;
  /** Sees every token there is. Only for tests that search for tokens where they must not be. */
  onToken?: (token: string) => void;
  /** ADK plugins that run along. */
  extraPlugins?: readonly BasePlugin[];
  /** Stops the demo. */
  signal?: AbortSignal;
}

export interface Check extends Promised {
  found: unknown;
  kept: boolean;
}

/** Something that happened, for the timeline. `at` in milliseconds since the epoch. */
export type Happening =
  | { kind: 'asked'; at: number; sub: string; text: string }
  | { kind: 'exchange'; at: number; exchange: ExchangeEvent }
  | { kind: 'request'; at: number; request: RecordedRequest }
  | { kind: 'answer'; at: number; answer: ToolAnswer };

export interface RunResult {
  plan: RunPlan;
  seen: Seen;
  checks: Check[];
  /** In order of time. */
  happenings: Happening[];
  kept: boolean;
}

/** Starts everything, plays the runs one after another and closes everything again. */
export async function runDemo(options: DemoOptions = {}): Promise<RunResult[]> {
  let exchanges: ExchangeEvent[] = [];
  const world = await startWorld({
    scriptFor: (message) => PLANS.find((plan) => plan.message === message)?.script ?? [],
    onExchange: (exchange) => exchanges.push(exchange),
    onToken: options.onToken,
    extraPlugins: options.extraPlugins,
  });
  try {
    const results: RunResult[] = [];
    for (const plan of PLANS) {
      exchanges = [];
      const result = await play(plan, { world, options, exchanges: () => exchanges });
      options.signal?.throwIfAborted();
      results.push(result);
      options.onRun?.(result);
    }
    return results;
  } finally {
    await world.close();
  }
}

interface Stage {
  world: World;
  options: DemoOptions;
  exchanges: () => readonly ExchangeEvent[];
}

async function play(plan: RunPlan, stage: Stage): Promise<RunResult> {
  const { world } = stage;
  takeRequests(world);
  const exchangesBefore = world.sts.exchanges.length;
  world.meetingPoint.expect(1);
  plan.prepare?.(world);
  const session = await world.sessions.createSession({ appName: APP, userId: 'team' });
  const asked = Date.now();
  const turns = await Promise.all(
    plan.users.map((sub) => takeTurn({ plan, sub, sessionId: session.id, stage })),
  );

  await world.agents[plan.agent].plugin.settled();

  const recorded = takeRequests(world);
  const answers = turns.flatMap((turn) => turn.answers);
  const report: RunReport = {
    name: plan.name,
    subjects: [...plan.users],
    toolCalls: turns.reduce((sum, turn) => sum + turn.calls, 0),
    exchanges: world.sts.exchanges.length - exchangesBefore,
    cacheEntriesAfter: world.broker.stats().entries,
    requests: recorded.map(({ at: _at, ...request }) => request),
  };
  const seen: Seen = {
    report,
    answers,
    exchanges: world.sts.exchanges.slice(exchangesBefore),
    failures: turns.flatMap((turn) => turn.failure ?? []),
  };
  const checks = checkPromises(plan, seen);
  const happenings: Happening[] = [
    ...plan.users.map((sub): Happening => ({ kind: 'asked', at: asked, sub, text: plan.message })),
    ...stage.exchanges().map((exchange): Happening => ({ kind: 'exchange', at: exchange.at, exchange })),
    ...recorded.map((request): Happening => ({ kind: 'request', at: request.at, request })),
    ...answers.map((answer): Happening => ({ kind: 'answer', at: answer.at, answer })),
  ];
  return {
    plan,
    seen,
    checks,
    happenings: happenings.toSorted((a, b) => a.at - b.at),
    kept: checks.every(({ kept }) => kept),
  };
}

interface Turn {
  calls: number;
  answers: ToolAnswer[];
  failure?: string;
}

/** One user's message to the agent, in a session that others may use as well. */
async function takeTurn(parts: {
  plan: RunPlan;
  sub: string;
  sessionId: string;
  stage: Stage;
}): Promise<Turn> {
  const { plan, sub, sessionId } = parts;
  const { world, options } = parts.stage;
  const { plugin, runner } = world.agents[plan.agent];
  const subjectToken = await world.sts.mintSubjectToken({ sub, audience: AGENT });
  const turn: Turn = { calls: 0, answers: [] };
  try {
    const events = plugin.runAsync(runner, {
      subjectToken,
      userId: 'team',
      sessionId,
      newMessage: { role: 'user', parts: [{ text: plan.message }] },
      ...(options.signal && { abortSignal: options.signal }),
    });
    for await (const event of events) {
      options.onEvent?.(event);
      if (event.errorCode !== undefined)
        turn.failure = `${sub}: ${event.errorCode} ${event.errorMessage ?? ''}`;
      for (const { functionCall, functionResponse } of event.content?.parts ?? []) {
        if (functionCall) turn.calls += 1;
        if (!functionResponse) continue;
        const { name = '', response = {} } = functionResponse;
        turn.answers.push({ at: performance.timeOrigin + performance.now(), sub, tool: name, response });
      }
    }
  } catch (error) {
    turn.failure = `${sub}: ${error instanceof Error ? error.message : 'the run threw'}`;
  }
  return turn;
}

/** Compares what was seen of a run with what is promised of it. */
export function checkPromises(plan: RunPlan, seen: Seen): Check[] {
  return [...plan.promises, ...ALWAYS].map((promised) => {
    const found = promised.find(seen);
    return { ...promised, found, kept: isDeepStrictEqual(found, promised.expected) };
  });
}

function takeRequests({ servers }: World): RecordedRequest[] {
  return SERVERS.flatMap((name) => servers[name].takeRequests()).toSorted((a, b) => a.at - b.at);
}
