// What the tests of src/agent/models stand on: servers on loopback that speak as the providers do, and ways to ask a model.
import type { ServerResponse } from 'node:http';
import type { LlmRequest, LlmResponse } from '@google/adk';
import { createModel } from '../../../src/agent/models.ts';
import type { ModelSettings } from '../../../src/config/model.ts';

export const KEY = 'an-obviously-fake-key-0123456789';

/** Sends events as OpenAI and others do, each as it is, and ends. */
export function sse(response: ServerResponse, events: readonly unknown[], end = true): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events) {
    const { type } = Object(event) as { type?: string };
    const name = type === undefined ? '' : `event: ${type}\n`;
    response.write(`${name}data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`);
  }
  if (end) response.end();
}

export interface WireCall {
  readonly id: string;
  readonly name: string;
  /** JSON, as a text. */
  readonly args: string;
}

const USAGE = {
  prompt_tokens: 11,
  completion_tokens: 7,
  total_tokens: 18,
  prompt_tokens_details: { cached_tokens: 4 },
  completion_tokens_details: { reasoning_tokens: 2 },
};

/** An answer of the chat completions API. */
export function completion(text: string | null, calls: readonly WireCall[] = [], more: object = {}): object {
  return {
    ...{ id: 'c1', object: 'chat.completion', created: 1, model: 'model-2026-01-01' },
    choices: [
      {
        index: 0,
        message: {
          ...{ role: 'assistant', content: text },
          ...(calls.length > 0 && {
            tool_calls: calls.map(({ id, name, args }) => ({
              ...{ id, type: 'function' },
              function: { name, arguments: args },
            })),
          }),
        },
        finish_reason: calls.length > 0 ? 'tool_calls' : 'stop',
        ...more,
      },
    ],
    usage: USAGE,
  };
}

/** The same as a stream: the text by words, the arguments in two pieces, the calls mixed. */
export function chunks(text: string, calls: readonly WireCall[] = [], finish?: string | null): unknown[] {
  const head = { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'model-2026-01-01' };
  const delta = (fields: object, finish_reason: string | null = null): object => ({
    ...head,
    choices: [{ index: 0, delta: fields, finish_reason }],
  });
  const reason = finish === undefined ? (calls.length > 0 ? 'tool_calls' : 'stop') : finish;
  return [
    delta({ role: 'assistant', content: '' }),
    ...text.split(/(?<= )/).map((content) => delta({ content })),
    ...calls.map(({ id, name, args }, index) =>
      delta({
        tool_calls: [
          { index, id, type: 'function', function: { name, arguments: args.slice(0, args.length / 2) } },
        ],
      }),
    ),
    ...calls.map(({ args }, index) =>
      delta({ tool_calls: [{ index, function: { arguments: args.slice(args.length / 2) } }] }),
    ),
    ...(reason === null ? [] : [delta({}, reason), { ...head, choices: [], usage: USAGE }, '[DONE]']),
  ];
}

/** A request as ADK makes one. */
export function request(text = 'Hello.', more: Partial<LlmRequest> = {}): LlmRequest {
  return {
    contents: [{ role: 'user', parts: [{ text }] }],
    config: { systemInstruction: 'Be brief.' },
    ...{ liveConnectConfig: {}, toolsDict: {} },
    ...more,
  };
}

/** A tool as ADK declares one. */
export const DAY_TOOL = {
  functionDeclarations: [
    {
      name: 'calendar',
      description: 'Looks up a day.',
      parameters: {
        type: 'OBJECT',
        properties: { day: { type: 'STRING', nullable: true }, hour: { type: 'INTEGER', enum: ['8', '9'] } },
        required: ['day'],
      },
    },
    { name: 'mail', parametersJsonSchema: { type: 'object', properties: { to: { type: 'string' } } } },
    { name: 'bare' },
  ],
} as unknown as NonNullable<NonNullable<LlmRequest['config']>['tools']>[number];

export interface AskOptions {
  readonly stream?: boolean;
  readonly signal?: AbortSignal;
  readonly environment?: Readonly<Record<string, string>>;
  readonly request?: LlmRequest;
}

/** Asks a model once, and waits for all that it says. */
export async function ask(settings: ModelSettings, options: AskOptions = {}): Promise<LlmResponse[]> {
  const model = await createModel(settings, options.environment ?? {});
  const responses: LlmResponse[] = [];
  const answer = model.generateContentAsync(options.request ?? request(), options.stream, options.signal);
  for await (const response of answer) responses.push(response);
  return responses;
}
