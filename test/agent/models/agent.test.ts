import { expect, test } from 'vitest';
import type { RunningMcpServer } from '../../../examples/demo/mcp-server.ts';
import { expectNoLeak } from '../../support/leaks.ts';
import { type Handler, json, type Loopback, startLoopback } from '../../support/loopback.ts';
import { callsAt, configOf, message, rpc, type Stage, send, serve, setStage } from '../support.ts';
import { chunks, completion, KEY, sse, type WireCall } from './wire.ts';

const BOTH: readonly WireCall[] = [
  { id: 'call_a', name: 'calendar_tool', args: '{}' },
  { id: 'call_b', name: 'mail_tool', args: '{}' },
];

interface Asked {
  readonly messages: readonly { readonly role: string; readonly content: string | null }[];
  readonly tools: readonly { readonly function: { readonly name: string } }[];
  readonly stream?: boolean;
}

/** A model that calls both tools at once, and then says what they answered. */
const model: Handler = ({ body }, response) => {
  const { messages, stream } = JSON.parse(body) as Asked;
  const user = messages.findLastIndex(({ role }) => role === 'user');
  const results = messages.slice(user).filter(({ role }) => role === 'tool');
  const text = results.map(({ content }) => JSON.parse(content ?? '').content[0].text).join(', ');
  const calls = results.length === 0 ? BOTH : [];
  if (stream) sse(response, chunks(text, calls));
  else json(response, completion(text, calls));
};

const configWith = (
  stage: Stage,
  servers: readonly RunningMcpServer[],
  { origin }: Loopback,
  more: object = {},
): Record<string, unknown> => ({
  ...configOf(stage, servers),
  model: { type: 'openai', model: 'm', base_url: `${origin}/v1`, api_key: `\${MODEL_KEY}` },
  ...more,
});
const environment = { MODEL_KEY: KEY };

test.each([false, true])(
  "a run calls two servers at once for its user, and no token reaches the model's server (stream: %s)",
  async (stream) => {
    const stage = await setStage();
    const provider = await startLoopback(model);
    const [calendar, mail] = [await stage.mcp('calendar'), await stage.mcp('mail')];
    const config = configWith(stage, [calendar, mail], provider, { stream, instruction: 'Help the user.' });
    const agent = await serve(config, { environment });

    const { body } = await send(agent, await stage.token('alice'));

    expect(body.result.status.state).toBe('completed');
    expect(JSON.stringify(body.result.artifacts)).toContain('calendar of alice, mail of alice');
    expect([callsAt(calendar), callsAt(mail)]).toEqual([
      ['alice for calendar by agent: 200'],
      ['alice for mail by agent: 200'],
    ]);
    expect(provider.received).toHaveLength(2);
    const { messages, tools } = JSON.parse(provider.received[0]?.body ?? '') as Asked;
    expect(messages[0]).toMatchObject({ role: 'system', content: expect.stringContaining('Help the user.') });
    expect(tools.map((tool) => tool.function.name)).toEqual(['calendar_tool', 'mail_tool']);
    // The subject token, those of the servers, and that of the agent itself.
    expect(stage.tokens.length).toBeGreaterThanOrEqual(3);
    expectNoLeak(provider.received, stage.tokens);
    expectNoLeak(body, [KEY]);
  },
);

test('a model that fails costs the task, and neither the agent nor the conversation', async () => {
  const stage = await setStage();
  const provider = await startLoopback((_request, response) =>
    json(response, { error: { message: `no such key: ${KEY}` } }, { status: 401 }),
  );
  const calendar = await stage.mcp('calendar');
  const agent = await serve(configWith(stage, [calendar], provider), { environment });
  const token = await stage.token('alice');

  const first = (await send(agent, token)).body.result;
  provider.handle((_request, response) => json(response, completion('Here I am.')));
  const second = await rpc(agent, token, 'message/send', message('And now?', { contextId: first.contextId }));

  expect(first.status.state).toBe('failed');
  expectNoLeak([first, stage.log], [KEY, ...stage.tokens]);
  expect(JSON.stringify(first)).not.toContain(provider.host);
  expect(stage.log.filter((line) => /onbehalf: task .*refused the key \(HTTP 401\)/.test(line))).toHaveLength(
    1,
  );
  expect(second.body.result.status.state).toBe('completed');
});

test('a task that is cancelled ends the request to the model, and the next message is answered', async () => {
  const stage = await setStage();
  const provider = await startLoopback((received, response) => {
    const { messages } = JSON.parse(received.body) as Asked;
    // The calls are answered, and then it never goes on.
    if (messages.at(-1)?.role === 'user') model(received, response);
  });
  const servers = [await stage.mcp('calendar'), await stage.mcp('mail')];
  const agent = await serve(configWith(stage, servers, provider), { environment });
  const token = await stage.token('alice');
  const { result } = (await rpc(agent, token, 'message/send', message('Go.', {}, { blocking: false }))).body;
  await provider.arrived(2);

  const cancelled = await rpc(agent, token, 'tasks/cancel', { id: result.id });

  await provider.cutOff(1);
  expect(cancelled.body.result.status.state).toBe('canceled');
  provider.handle((_request, response) => json(response, completion('Here I am.')));
  const next = await rpc(agent, token, 'message/send', message('And now?', { contextId: result.contextId }));
  expect(next.body.result.status.state).toBe('completed');
});
