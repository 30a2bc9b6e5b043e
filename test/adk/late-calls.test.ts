// What a security review found, and beside it what the fixes must leave as it was.
import { type Context, FunctionTool } from '@google/adk';
import { describe, expect, test } from 'vitest';
import { DelegatedMCPToolset } from '../../src/adk/index.ts';
import { runAs } from '../../src/index.ts';
import { type RawAnswer, startRawMcp, status } from '../support/raw-mcp.ts';
import { agentOf, call, callsAt, failure, type Stage, setStage, subjectToken, TestModel } from './support.ts';

/** Runs an agent of Alice's, to its end or until the server was called, and gives the context of its tools. */
async function finishedInvocation(
  stage: Stage,
  toolset: DelegatedMCPToolset,
  breaksOff: boolean,
): Promise<Context> {
  let kept: Context | undefined;
  const keep = new FunctionTool({
    name: 'keep',
    description: 'Keeps its context.',
    execute: (_args, context) => {
      kept = context as Context;
      return 'kept';
    },
  });
  const model = new TestModel([call('keep'), call('calendar_tool'), 'Done.']);
  const params = { ...(await stage.params()), subjectToken: await subjectToken(stage.sts, 'alice') };
  for await (const { content } of stage.plugin.runAsync(
    stage.runner(agentOf(model, [keep, toolset])),
    params,
  )) {
    if (breaksOff && content?.parts?.[0]?.functionResponse?.name === 'calendar_tool') break;
  }
  if (!kept) throw new Error('the tool was not called');
  return kept;
}

describe('a late call of an invocation', () => {
  test.each([
    ['that ran to its end', false],
    ['that was broken off', true],
  ])('%s does not act as the user inside whose runAs it runs', async (_what, breaksOff) => {
    const stage = await setStage();
    const server = await stage.server('calendar');
    const toolset = stage.toolset(server);
    const ofAlice = await finishedInvocation(stage, toolset, breaksOff);
    const bob = stage.broker.begin({ subjectToken: await subjectToken(stage.sts, 'bob') });
    const [tool] = await runAs(bob, () => toolset.getTools());
    const late = runAs(bob, () => tool?.runAsync({ args: {}, toolContext: ofAlice }));
    expect(await late).toMatchObject({ error: { code: 'delegation_ended', retryable: false } });
    const headers = stage.plugin.headerProvider(toolset);
    expect(await failure(() => runAs(bob, () => headers(ofAlice)))).toMatchObject({
      code: 'delegation_ended',
    });
    expect(callsAt(server)).toEqual(['calendar_tool alice 200']);
    // Bob's own calls go on.
    await runAs(bob, () =>
      stage.runPlain(stage.runner(agentOf(new TestModel([call('calendar_tool'), '']), [toolset]))),
    );
    expect(callsAt(server)).toEqual(['calendar_tool alice 200', 'calendar_tool bob 200']);
  });
});

describe('a tool call of which nobody knows whether it was carried out', () => {
  const unknown: readonly [string, RawAnswer][] = [
    ['whose connection was dropped after it arrived', (response) => void response.socket?.destroy()],
    ['that was answered with 502', status(502)],
  ];
  test.each(unknown)('%s is told to the model as not retryable, and was made once', async (_what, answer) => {
    const stage = await setStage();
    const raw = await startRawMcp({ answers: { 'tools/call': answer } });
    const toolset = new DelegatedMCPToolset({ url: raw.url, stsAudience: 'calendar' });
    stage.plugin.registerToolset(toolset);
    const { answers } = await stage.run(
      stage.runner(agentOf(new TestModel([call('t'), 'Done.']), [toolset])),
      'alice',
    );
    expect(answers).toMatchObject([{ response: { error: { code: 'server_failed', retryable: false } } }]);
    expect(raw.of('tools/call')).toHaveLength(1);
  });
});
