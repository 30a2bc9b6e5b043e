// Plays the six runs and compares what was recorded with what was promised.
import { isDeepStrictEqual } from 'node:util';
import type { ExchangeEvent } from 'onbehalf';
import type { AgentServer } from 'onbehalf/agent';
import { type A2AEvent, ask, type Question, refusalOf } from './ask.ts';
import type { RecordedRequest } from './mcp-server.ts';
import { AGENT, SERVERS } from './names.ts';
import { PLANS, type RunPlan } from './plans.ts';
import { ALWAYS, type Promised, type RunReport, type Seen, type ToolAnswer } from './promises.ts';
import { startWorld, type World, type WorldOptions } from './world.ts';

export interface DemoOptions extends Pick<WorldOptions, 'onRequest' | 'onToken' | 'onWarning'> {
  /** Called when a run is over, while the next has not begun. */
  onRun?: (result: RunResult) => void;
  /** Sees every event that a user gets of an agent. */
  onEvent?: (event: A2AEvent) => void;
  /** Called when all runs are over, while everything still runs. */
  onPlayed?: (world: World, results: readonly RunResult[]) => Promise<void>;
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
  | { kind: 'answer'; at: number; answer: ToolAnswer }
  | { kind: 'refused'; at: number; sub: string };

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
  const { signal, onRequest, onToken, onWarning } = options;
  let exchanges: ExchangeEvent[] = [];
  const onExchange = (exchange: ExchangeEvent): void => {
    exchanges.push(exchange);
  };
  const world = await startWorld({ onExchange, onRequest, onToken, onWarning });
  try {
    const results: RunResult[] = [];
    for (const plan of PLANS) {
      exchanges = [];
      const result = await play(plan, { world, options, exchanges: () => exchanges });
      signal?.throwIfAborted();
      results.push(result);
      options.onRun?.(result);
    }
    await options.onPlayed?.(world, results);
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
  const asked = Date.now();
  const questions = await Promise.all(plan.users.map((sub) => questionOf(plan, sub, stage)));
  const turns = await Promise.all(questions.map(ask));
  const refusal = await intrude(plan, questions[0]?.contextId, stage);
  const refused = Date.now();
  const cacheEntriesAfter = await tokensLeft(world.agents[plan.agent], stage.options.signal);
  const recorded = takeRequests(world);
  const answers = turns.flatMap((turn) => turn.answers);
  const report: RunReport = {
    name: plan.name,
    subjects: [...plan.users],
    toolCalls: turns.reduce((sum, turn) => sum + turn.calls, 0),
    exchanges: world.sts.exchanges.length - exchangesBefore,
    cacheEntriesAfter,
    requests: recorded.map(({ at: _at, ...request }) => request),
  };
  const seen: Seen = {
    report,
    answers,
    exchanges: world.sts.exchanges.slice(exchangesBefore),
    failures: turns.flatMap(({ failure }) => failure ?? []),
    refusals: refusal === undefined ? [] : [refusal],
  };
  const checks = checkPromises(plan, seen);
  const happenings: Happening[] = [
    ...plan.users.map((sub): Happening => ({ kind: 'asked', at: asked, sub, text: plan.message })),
    ...stage.exchanges().map((exchange): Happening => ({ kind: 'exchange', at: exchange.at, exchange })),
    ...recorded.map((request): Happening => ({ kind: 'request', at: request.at, request })),
    ...answers.map((answer): Happening => ({ kind: 'answer', at: answer.at, answer })),
    ...(plan.intruder === undefined ? [] : [{ kind: 'refused' as const, at: refused, sub: plan.intruder }]),
  ];
  return {
    plan,
    seen,
    checks,
    happenings: happenings.toSorted((a, b) => a.at - b.at),
    kept: checks.every(({ kept }) => kept),
  };
}

/** A user's message to the agent, with a token of theirs for it, in a conversation of their own. */
async function questionOf(
  { agent, message: text }: RunPlan,
  sub: string,
  { world, options: { signal, onEvent } }: Stage,
): Promise<Question> {
  const subjectToken = await world.sts.mintSubjectToken({ sub, audience: AGENT });
  const contextId = crypto.randomUUID();
  return { url: world.agents[agent].url, sub, subjectToken, contextId, text, signal, onEvent };
}

/** Has a message sent into a conversation of somebody else. @returns what its sender was told */
async function intrude(
  plan: RunPlan,
  contextId: string | undefined,
  stage: Stage,
): Promise<string | undefined> {
  if (plan.intruder === undefined || contextId === undefined) return undefined;
  return refusalOf({ ...(await questionOf(plan, plan.intruder, stage)), contextId });
}

/** The tokens that an agent keeps when no run is under way, by its own metrics. */
async function tokensLeft({ adminUrl }: AgentServer, signal: AbortSignal | undefined): Promise<number> {
  const value = (text: string, name: string): number =>
    Number(new RegExp(`^onbehalf_agent_${name} (\\d+)$`, 'm').exec(text)?.[1]);
  for (;;) {
    signal?.throwIfAborted();
    const text = await (await fetch(`${adminUrl}/metrics`)).text();
    // A run ends a moment after its last word.
    if (value(text, 'runs') === 0) return value(text, 'tokens');
  }
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
