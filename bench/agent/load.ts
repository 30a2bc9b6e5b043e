// Users who send messages, one after the other each, and what they got.

/** An agent, and whose tokens its callers bring. */
export interface Subject {
  readonly url: string;
  readonly tokens: readonly string[];
}

export interface Load {
  /** Runs that came to their end with the answer, in the order of their ends: how long each took, in milliseconds. */
  readonly completed: readonly number[];
  /** By what came instead, how often. */
  readonly failed: Readonly<Record<string, number>>;
  readonly elapsedMs: number;
}

/** When the users stop. */
export type Until = { readonly runs: number } | { readonly ms: number };

/** Lets all users send at the same time, each in conversations of their own, one for each message. */
export async function load({ url, tokens }: Subject, until: Until): Promise<Load> {
  const completed: number[] = [];
  const failed: Record<string, number> = {};
  const began = performance.now();
  const isOver = (done: number): boolean =>
    'runs' in until ? done >= until.runs : performance.now() - began >= until.ms;
  const user = async (token: string): Promise<void> => {
    for (let done = 0; !isOver(done); done++) {
      const at = performance.now();
      const state = await send(url, token).catch((error: Error) => error.message);
      if (state === 'completed') completed.push(performance.now() - at);
      else failed[state] = (failed[state] ?? 0) + 1;
    }
  };
  await Promise.all(tokens.map(user));
  return { completed, failed, elapsedMs: performance.now() - began };
}

/** @returns the state of the task */
async function send(url: string, token: string): Promise<string> {
  const message = {
    ...{ kind: 'message', role: 'user', messageId: crypto.randomUUID() },
    parts: [{ kind: 'text', text: 'What is on today?' }],
  };
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'message/send', params: { message } }),
  });
  if (!response.ok) return `status ${response.status}`;
  const { result, error } = (await response.json()) as {
    result?: { status?: { state?: string }; history?: unknown };
    error?: { message?: string };
  };
  if (error) return error.message ?? 'an error';
  const { state = 'no state' } = result?.status ?? {};
  // Stock runs whose tools have failed are completed too: the answers of both have to be there.
  const said = JSON.stringify(result);
  if (state === 'completed' && !(said.includes('calendar of') && said.includes('mail of'))) {
    return 'completed without its tools';
  }
  return state;
}
