import { gunzipSync } from 'node:zlib';
import type { Client } from '@modelcontextprotocol/client';
import { expect } from 'vitest';
import type { User } from '../parts.ts';
import type { VerifyingProxy } from './proxy.ts';

/** A result of a tool, as far as it is read here. */
export interface Result {
  readonly content: readonly {
    readonly type: string;
    readonly text?: string;
    readonly data?: string;
    readonly uri?: string;
    readonly resource?: { readonly uri: string; readonly text?: string; readonly blob?: string };
  }[];
  readonly structuredContent?: unknown;
  readonly isError?: boolean;
}

/** What a result is judged by. */
export interface Judged {
  readonly user: User;
  readonly proxy: VerifyingProxy;
}

/** How one tool is called, and what must come back. */
export interface Trial {
  readonly args: (user: User) => Record<string, unknown>;
  readonly check: (result: Result, judged: Judged) => void;
  /** How it is called where `tools/call` alone does not do. */
  readonly call?: ((client: Client, args: Record<string, unknown>) => Promise<Result>) | undefined;
}

const STEPS = 4;
const textOf = ({ content }: Result): string => content.map(({ text }) => text ?? '').join('\n');

/** A tool that always says the same, whoever asks. */
const says = (args: Record<string, unknown>, expected: string): Trial => ({
  args: () => args,
  check: (result) => expect(textOf(result)).toContain(expected),
});

/** A tool that tells the session that it was called in: it must be one that was opened under this user's token. */
const tellsSession: Trial = {
  args: () => ({}),
  check(result, { user, proxy }) {
    const session = /for session ([\w-]+)/.exec(textOf(result))?.[1] ?? '';
    expect(proxy.ownerOf(session)).toBe(user);
  },
};

/** A tool whose answer is of what only this user gave. */
const repeats = (argsOf: (user: User) => Record<string, unknown>): Trial => ({
  args: argsOf,
  check(result, { user }) {
    const text = textOf(result);
    expect(text).toContain(`from ${user}`);
    expect(text).not.toContain(`from ${user === 'alice' ? 'bob' : 'alice'}`);
  },
});

/**
 * Every tool of the reference server that a client without capabilities is offered. A tool that is not here fails the
 * suite: so none is left out when there is a new one.
 */
export const TRIALS: Readonly<Record<string, Trial>> = {
  echo: repeats((user) => ({ message: `hello from ${user}` })),
  'get-annotated-message': {
    args: () => ({ messageType: 'error', includeImage: true }),
    check({ content }) {
      expect(content.map(({ type }) => type)).toEqual(['text', 'image']);
    },
  },
  'get-env': {
    args: () => ({}),
    check: (result) => expect(JSON.parse(textOf(result))).toHaveProperty('PORT'),
  },
  'get-resource-links': {
    args: () => ({ count: 3 }),
    check({ content }) {
      const links = content.filter(({ type }) => type === 'resource_link');
      expect(links.map(({ uri }) => uri)).toHaveLength(3);
    },
  },
  'get-resource-reference': {
    args: (user) => ({ resourceType: 'Text', resourceId: idOf(user) }),
    check({ content }, { user }) {
      expect(content[1]?.resource).toMatchObject({
        uri: `demo://resource/dynamic/text/${idOf(user)}`,
        text: expect.stringContaining(`Resource ${idOf(user)}:`),
      });
    },
  },
  'get-structured-content': {
    args: () => ({ location: 'Chicago' }),
    check: (result) => expect(result.structuredContent).toMatchObject({ temperature: 36, humidity: 82 }),
  },
  'get-sum': {
    args: (user) => ({ a: idOf(user), b: 2 }),
    check: (result, { user }) => expect(textOf(result)).toContain(`is ${idOf(user) + 2}.`),
  },
  'get-tiny-image': {
    args: () => ({}),
    check({ content }) {
      const image = content.find(({ type }) => type === 'image');
      expect(
        Buffer.from(image?.data ?? '', 'base64')
          .subarray(1, 4)
          .toString(),
      ).toBe('PNG');
    },
  },
  'gzip-file-as-resource': {
    args: (user) => ({
      name: 'report.gz',
      data: `data:text/plain,report of ${user}`,
      outputType: 'resource',
    }),
    check({ content }, { user }) {
      const packed = Buffer.from(content[0]?.resource?.blob ?? '', 'base64');
      expect(gunzipSync(packed).toString()).toBe(`report of ${user}`);
    },
  },
  'toggle-simulated-logging': tellsSession,
  'toggle-subscriber-updates': tellsSession,
  'trigger-long-running-operation': {
    args: () => ({ duration: 0.4, steps: STEPS }),
    async call(client, args) {
      const seen: number[] = [];
      const onprogress = ({ progress }: { readonly progress: number }): void => void seen.push(progress);
      const params = { name: 'trigger-long-running-operation', arguments: args };
      const result = await client.callTool(params, { onprogress });
      expect(seen).toEqual(Array.from({ length: STEPS }, (_, index) => index + 1));
      return result as Result;
    },
    check: (result) => expect(textOf(result)).toContain(`Steps: ${STEPS}`),
  },
  'simulate-research-query': {
    ...repeats((user) => ({ topic: `a question from ${user}` })),
    call: (client, args) => asTask(client, 'simulate-research-query', args),
  },
};

/** The tools that only a client is offered which takes requests of the server; it answers them as `answersOf` says. */
export const TRIALS_WITH_CAPABILITIES: Readonly<Record<string, Trial>> = {
  ...TRIALS,
  'trigger-elicitation-request': repeats(() => ({})),
  'trigger-sampling-request': repeats(() => ({ prompt: 'say whom you work for', maxTokens: 10 })),
  'trigger-url-elicitation': says(
    { url: 'https://app.example/consent' },
    'User completed the URL elicitation',
  ),
};

const idOf = (user: User): number => (user === 'alice' ? 41 : 97);

const anything = {
  '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value: value as never }) },
} as const;

/** Calls a tool as a task (MCP 2025-11-25, tasks): starts it, asks how it is doing, and fetches the result. */
async function asTask(client: Client, name: string, args: Record<string, unknown>): Promise<Result> {
  const ask = <T>(method: string, params: Record<string, unknown>): Promise<T> =>
    client.request({ method, params } as never, anything) as Promise<T>;
  interface Task {
    readonly taskId: string;
    readonly status: string;
    readonly pollInterval?: number;
  }
  let { task } = await ask<{ task: Task }>('tools/call', { name, arguments: args, task: { ttl: 60_000 } });
  const { taskId, pollInterval = 1_000 } = task;
  while (task.status === 'working') {
    await new Promise((resolve) => setTimeout(resolve, pollInterval));
    task = await ask<Task>('tasks/get', { taskId });
  }
  expect(task.status).toBe('completed');
  return ask<Result>('tasks/result', { taskId });
}
