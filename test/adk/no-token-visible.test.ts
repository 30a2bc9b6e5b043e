// What ADK keeps, yields and logs of a run that meets every kind of trouble must not hold a token.
import { inspect } from 'node:util';
import { AgentTool, LOAD_MEMORY } from '@google/adk';
import { expect, test } from 'vitest';
import { isOnbehalfError } from '../../src/index.ts';
import { agentOf, call, type Outcome, setStage, subjectToken, TestModel } from './support.ts';

const deep = (value: unknown): string =>
  inspect(value, { depth: 12, showHidden: true, maxArrayLength: null, maxStringLength: null });

/** The parts of a token that would tell somebody something: its payload and its signature. */
const secretsOf = (tokens: readonly string[]): string[] =>
  tokens.flatMap((token) => [token, ...token.split('.').slice(1)]).filter((part) => part.length > 20);

async function troubledRun(): Promise<{
  tokens: string[];
  places: Record<string, unknown>;
  outcome: Outcome;
}> {
  const tokens: string[] = [];
  const stage = await setStage({ sts: { onToken: (token) => tokens.push(token) } });
  const [calendar, mail, files] = await Promise.all([
    stage.server('calendar', { requireTokenForDiscovery: true }),
    stage.server('mail'),
    stage.server('files', {
      onCall: () => {
        throw new Error('the tool broke');
      },
    }),
  ]);
  calendar.rejectNext(1);
  stage.sts.inject({ kind: 'wrong-audience', audience: 'mail' });
  const toolsets = [calendar, mail, files].map((server) => stage.toolset(server));
  const helper = agentOf(new TestModel([call('calendar_tool'), 'Helped.']), [toolsets[0] as never], {
    name: 'helper',
    description: 'Helps.',
  });
  const names = ['calendar_tool', 'mail_tool', 'mail_tool', 'files_tool', 'load_memory'];
  const script = [
    ...names.map((name) => call(name, { query: 'x' })),
    call('helper', { request: 'Help.' }),
    'Done.',
  ];
  const model = new TestModel(script);
  const agent = agentOf(model, [LOAD_MEMORY, new AgentTool({ agent: helper }), ...toolsets]);
  const token = await subjectToken(stage.sts, 'alice');
  const outcome = await stage.run(stage.runner(agent), 'alice', { token });
  const sessions = await stage.sessions.listSessions({ appName: 'app', userId: 'team' });
  const session = await stage.sessions.getSession({ appName: 'app', userId: 'team', sessionId: 'chat' });
  const asked = model.asked.map(({ contents, config }) => ({ contents, config }));
  const objects = [stage.plugin, stage.broker, stage.broker.stats(), toolsets];
  return {
    tokens,
    outcome,
    places: { events: outcome.events, session, sessions, log: stage.log, asked, objects },
  };
}

test('no token is in session events, session state, what the model is shown, ADK’s debug log or our objects', async () => {
  const { tokens, places, outcome } = await troubledRun();
  expect(outcome.failure).toBeUndefined();
  expect(outcome.answers).toHaveLength(6);
  // The subject's, the agent's, and those for three servers, two of them twice.
  expect(tokens.length).toBeGreaterThanOrEqual(6);
  expect((places.log as string[]).some((line) => line.startsWith('DEBUG'))).toBe(true);
  for (const [place, value] of Object.entries(places)) {
    const text = deep(value);
    expect(text.length, place).toBeGreaterThan(100);
    expect(
      secretsOf(tokens).filter((secret) => text.includes(secret)),
      place,
    ).toEqual([]);
  }
});

test('the search finds a token that is there', async () => {
  const { tokens, places } = await troubledRun();
  const text = deep({ ...places, leak: { deeper: { still: [tokens.at(-1)] } } });
  expect(secretsOf(tokens).filter((secret) => text.includes(secret))).not.toEqual([]);
});

test('errors of a run show no token, however they are printed', async () => {
  const tokens: string[] = [];
  const stage = await setStage({ sts: { onToken: (token) => tokens.push(token) } });
  const server = await stage.server('calendar');
  const token = await subjectToken(stage.sts, 'alice', -5);
  const { failure } = await stage.run(
    stage.runner(agentOf(new TestModel([]), [stage.toolset(server)])),
    'alice',
    {
      token,
    },
  );
  expect(isOnbehalfError(failure)).toBe(true);
  const shown = [
    deep(failure),
    String(failure),
    JSON.stringify(failure),
    String((failure as Error).stack),
  ].join();
  expect(secretsOf(tokens).filter((secret) => shown.includes(secret))).toEqual([]);
});
