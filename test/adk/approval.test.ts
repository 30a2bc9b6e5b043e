import {
  type BasePolicyEngine,
  type BaseTool,
  type Context,
  PolicyOutcome,
  type ReadonlyContext,
  type RunAsyncToolRequest,
  SecurityPlugin,
} from '@google/adk';
import { beforeEach, describe, expect, test } from 'vitest';
import type { RunningMcpServer } from '../../examples/demo/mcp-server.ts';
import {
  agentOf,
  call,
  callsAt,
  exchanged,
  type Outcome,
  play,
  type Stage,
  setStage,
  subjectToken,
  TestModel,
} from './support.ts';

let stage: Stage;
let server: RunningMcpServer;

beforeEach(async () => {
  stage = await setStage();
  server = await stage.server('calendar');
});

const SCRIPT = [call('calendar_tool'), 'Done.'];
const policy = (outcome: PolicyOutcome): BasePolicyEngine => ({
  evaluate: async () => ({ outcome, reason: 'the test says so' }),
});

/** Answers the request for approval that a run ended with. */
async function answer(
  runner: ReturnType<Stage['runner']>,
  asked: Outcome,
  confirmed: boolean,
): Promise<Outcome> {
  const request = asked.events
    .flatMap(({ content }) => content?.parts ?? [])
    .find(({ functionCall }) => functionCall?.name === 'adk_request_confirmation')?.functionCall;
  if (!request?.id) throw new Error('approval was not asked for');
  const response = { id: request.id, name: request.name ?? '', response: { confirmed } };
  const params = {
    ...(await stage.params()),
    newMessage: { role: 'user', parts: [{ functionResponse: response }] },
  };
  return play(
    stage.plugin.runAsync(runner, { ...params, subjectToken: await subjectToken(stage.sts, 'alice') }),
  );
}

describe('a tool whose checkRequireConfirmation is true', () => {
  let runner: ReturnType<Stage['runner']>;

  beforeEach(() => {
    const toolset = stage.toolset(server);
    const getTools = toolset.getTools.bind(toolset);
    toolset.getTools = async (context?: ReadonlyContext) => (await getTools(context)).map(gated);
    runner = stage.runner(agentOf(new TestModel(SCRIPT), [toolset]));
  });

  test('does not exchange while it waits for approval', async () => {
    const outcome = await stage.run(runner, 'alice');
    expect(outcome.failure).toBeUndefined();
    expect([exchanged(stage.sts), callsAt(server)]).toEqual([[], []]);
  });

  test('exchanges and is called once it is approved', async () => {
    await answer(runner, await stage.run(runner, 'alice'), true);
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
    expect(callsAt(server)).toEqual(['calendar_tool alice 200']);
  });

  test('neither exchanges nor is called when it is refused', async () => {
    await answer(runner, await stage.run(runner, 'alice'), false);
    expect([exchanged(stage.sts), callsAt(server)]).toEqual([[], []]);
  });

  /** What a tool does that asks for approval, as ADK's FunctionTool does it. */
  function gated(tool: BaseTool): BaseTool {
    const run = tool.runAsync.bind(tool);
    tool.checkRequireConfirmation = async () => true;
    tool.runAsync = async (request: RunAsyncToolRequest) => {
      const { toolConfirmation } = request.toolContext as Context;
      if (toolConfirmation?.confirmed) return run(request);
      if (toolConfirmation) return { error: 'refused' };
      (request.toolContext as Context).requestConfirmation({ hint: 'May I?' });
      return { error: 'waits for approval' };
    };
    return tool;
  }
});

// That such a call is approved later cannot be played: ADK 2.0.0 refuses the approval of a tool which does not ask for
// one itself (`confirmation_not_required`), for any tool and without our plugin too.
describe('with the SecurityPlugin before ours', () => {
  const runnerWith = (outcome: PolicyOutcome): ReturnType<Stage['runner']> =>
    stage.runner(agentOf(new TestModel(SCRIPT), [stage.toolset(server)]), [
      new SecurityPlugin({ policyEngine: policy(outcome) }),
      stage.plugin,
    ]);

  test('a call that waits for approval does not exchange', async () => {
    const outcome = await stage.run(runnerWith(PolicyOutcome.CONFIRM), 'alice');
    expect(outcome.failure).toBeUndefined();
    expect([exchanged(stage.sts), callsAt(server)]).toEqual([[], []]);
  });

  test('a call that the policy denies does not exchange', async () => {
    await stage.run(runnerWith(PolicyOutcome.DENY), 'alice');
    expect([exchanged(stage.sts), callsAt(server)]).toEqual([[], []]);
  });

  test('a call that the policy allows exchanges', async () => {
    await stage.run(runnerWith(PolicyOutcome.ALLOW), 'alice');
    expect(exchanged(stage.sts)).toEqual(['alice calendar issued']);
  });
});

test('with the SecurityPlugin after ours a call that waits is not sent either', async () => {
  const security = new SecurityPlugin({ policyEngine: policy(PolicyOutcome.CONFIRM) });
  const runner = stage.runner(agentOf(new TestModel(SCRIPT), [stage.toolset(server)]), [
    stage.plugin,
    security,
  ]);
  await stage.run(runner, 'alice');
  expect(callsAt(server)).toEqual([]);
});
