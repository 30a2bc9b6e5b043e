// What OpenTelemetry gets from an agent that is served.
import { type Span, trace } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { expect, test } from 'vitest';
import type { AgentServer } from '../../src/agent/types.ts';
import type { AuditRecord } from '../../src/telemetry/index.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { startTelemetry } from '../telemetry/support.ts';
import { configOf, message, rpc, send, serve, setStage } from './support.ts';

/** Names of a span and of those that it is part of, from the inside. */
function pathOf(span: ReadableSpan, all: readonly ReadableSpan[]): string[] {
  const parent = all.find((each) => each.spanContext().spanId === span.parentSpanContext?.spanId);
  return [span.name, ...(parent ? pathOf(parent, all) : [])];
}

/** All that is exported of a span. */
const exported = ({ name, attributes, events, links, status, resource }: ReadableSpan): object => ({
  ...{ name, attributes, events, links, status, resource: resource.attributes },
});

/** Sends a message as somebody who has a trace. */
async function sendInTrace(
  { url }: AgentServer,
  token: string,
  { method, traceparent }: { readonly method: string; readonly traceparent: string },
): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, traceparent },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: message('Go.') }),
  });
  expect(await response.text()).toContain('completed');
}

// One test, as ADK keeps to the tracer that it found first.
test('each run is one trace, its exchanges in it, and no token is in anything that is told of it', async () => {
  const records: AuditRecord[] = [];
  const sdk = await startTelemetry({ audit: (record) => void records.push(record) });
  const stage = await setStage();
  const servers = [await stage.mcp('calendar'), await stage.mcp('mail')];
  const { observer } = sdk;
  const server = await serve(configOf(stage, servers), { observer, adminPort: 0 });
  const [alice, bob] = [await stage.token('alice'), await stage.token('bob')];

  const answers = await Promise.all([
    send(server, alice),
    rpc(server, bob, 'message/stream', message('Go.')),
    send(server, bob),
  ]);
  expect(answers.map(({ text }) => text.includes('completed'))).toEqual([true, true, true]);
  await expect.poll(() => sdk.spans().filter(({ name }) => name === 'invocation')).toHaveLength(3);

  const spans = sdk.spans();
  const traceOf = (span: ReadableSpan): string => span.spanContext().traceId;
  const runs = spans.filter(({ name }) => name === 'invocation');
  expect(new Set(runs.map(traceOf)).size).toBe(3);
  expect(runs.map(({ parentSpanContext }) => parentSpanContext)).toEqual([undefined, undefined, undefined]);
  expect(new Set(spans.map(traceOf))).toEqual(new Set(runs.map(traceOf)));
  // In conversations of their own, so that Bob's two share nothing.
  const exchanges = spans.filter(({ name }) => name === 'exchange token');
  const told = records.map(({ sub, aud }) => `${sub} for ${aud}`).toSorted();
  const ofBob = ['bob for calendar', 'bob for calendar', 'bob for mail', 'bob for mail'];
  expect(told).toEqual(['alice for calendar', 'alice for mail', ...ofBob]);
  expect(exchanges).toHaveLength(told.length);
  for (const exchange of exchanges) {
    expect(pathOf(exchange, spans).at(-1)).toBe('invocation');
    expect(exchange.attributes['onbehalf.exchange.outcome']).toBe('issued');
  }
  // Whoever reads the audit log finds the run, and the other way round.
  expect(new Set(records.map((record) => record.trace_id))).toEqual(new Set(exchanges.map(traceOf)));
  const tools = spans.filter(({ name }) => name.startsWith('execute_tool '));
  expect(tools.map(({ name }) => name).toSorted()).toEqual([
    ...Array(3).fill('execute_tool calendar_tool'),
    ...Array(3).fill('execute_tool mail_tool'),
  ]);

  const everything = async (): Promise<object> => ({
    spans: sdk.spans().map(exported),
    metrics: await sdk.metrics(),
    prometheus: await (await fetch(`${server.adminUrl}/metrics`)).text(),
    ...{ records, log: stage.log, answers: answers.map(({ text }) => text) },
  });
  // Those of the users, of the agent, and all that were exchanged for them.
  expect(stage.tokens.length).toBeGreaterThanOrEqual(2 + told.length);
  expectNoLeak(await everything(), stage.tokens);
  expect(JSON.stringify(await everything())).toContain('calendar of alice');

  // That would be found: wherever somebody puts one.
  const places: readonly ((span: Span, token: string) => unknown)[] = [
    (span, token) => span.setAttribute('anything', `Bearer ${token}`),
    (span, token) => span.addEvent('sent', { token }),
    (span, token) => span.setStatus({ code: 2, message: token }),
  ];
  for (const put of places) {
    const span = trace.getTracer('leaky').startSpan('leaky');
    put(span, stage.tokens.at(-1) as string);
    span.end();
    const found = await everything();
    expect(() => expectNoLeak(found, stage.tokens)).toThrow('the secret');
    sdk.reset();
  }

  // A caller that has a trace finds the run in it, streamed or not.
  const ofCaller = ['message/send', 'message/stream'].map((method, index) => {
    const traceparent = `00-${String(index + 1).repeat(32)}-${'a'.repeat(16)}-01`;
    return sendInTrace(server, alice, { method, traceparent });
  });
  await Promise.all(ofCaller);
  const isRun = ({ name }: ReadableSpan): boolean => name === 'invocation';
  await expect.poll(() => sdk.spans().filter(isRun)).toHaveLength(2);
  expect(new Set(sdk.spans().map(traceOf))).toEqual(new Set(['1'.repeat(32), '2'.repeat(32)]));
  for (const { parentSpanContext } of sdk.spans().filter(isRun)) {
    expect(parentSpanContext).toMatchObject({ spanId: 'a'.repeat(16), isRemote: true });
  }
  expectNoLeak(await everything(), stage.tokens);
});
