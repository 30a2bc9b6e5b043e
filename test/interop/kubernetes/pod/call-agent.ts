import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';

export interface AgentCall {
  readonly token: string | undefined;
  /** `refused`: the status is what matters. Default: the task is completed. */
  readonly expect?: 'refused';
}

/** Sends an agent a message over A2A (JSON-RPC `message/send`), as its caller; gives the HTTP status. */
export async function callAgent(url: string, { token, expect: expected }: AgentCall): Promise<number> {
  const text = { kind: 'text', text: 'Plan my day.' };
  const message = { kind: 'message', role: 'user', messageId: randomUUID(), parts: [text] };
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'message/send', params: { message } }),
  });
  const answer = await response.text();
  if (expected === 'refused') return response.status;
  expect(response.status, answer).toBe(200);
  expect(JSON.parse(answer).result?.status?.state, answer).toBe('completed');
  return response.status;
}
