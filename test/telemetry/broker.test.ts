import { trace } from '@opentelemetry/api';
import { expect, test } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type { SharedStore } from '../../src/broker/shared-store.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import type { AuditRecord } from '../../src/telemetry/index.ts';
import { closedAtEnd } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { always, json, never } from '../support/loopback.ts';
import { granting, startPlainSts, subjectJwt } from '../support/sts.ts';
import { deferred, startTelemetry } from './support.ts';

const EXCHANGE = 'exchange token';
const JOIN = 'await token exchange';

/** A broker that is observed, at an STS that grants everything, and a run of Alice's. */
async function startObserved(
  options: Omit<Partial<BrokerOptions>, 'tokenService'> = {},
  service: Partial<TokenServiceOptions> = {},
) {
  const records: AuditRecord[] = [];
  const observed = await startTelemetry({ audit: (record) => void records.push(record) });
  const sts = await startPlainSts(undefined, { retry: { attempts: 1 }, ...service });
  const { observer } = observed;
  const broker = closedAtEnd(createBroker({ tokenService: sts.service, observer, ...options }));
  const run = broker.begin({ subjectToken: subjectJwt('alice') });
  return { ...observed, sts, broker, run, records };
}

const inSpan = <T>(name: string, work: () => Promise<T>): Promise<T> =>
  trace.getTracer('caller').startActiveSpan(name, (span) => work().finally(() => span.end()));

async function lookUps(series: (name: string) => Promise<readonly (readonly [object, unknown])[]>) {
  const counted = await series('onbehalf.token.lookups');
  return Object.fromEntries(counted.map(([attributes, value]) => [Object.values(attributes)[0], value]));
}

test('callers who ask at once: one exchange in the trace of the first, a linked span in that of each other', async () => {
  const { broker, run, spans, records, series } = await startObserved();
  const names = ['first', 'second', 'third'];
  await Promise.all(names.map((name) => inSpan(name, () => broker.token(run, 'calendar'))));
  await broker.token(run, 'calendar');
  const named = (name: string) => spans().filter((span) => span.name === name);
  const [exchange, ...others] = named(EXCHANGE);
  expect(others).toEqual([]);
  const [first, second, third] = names.map((name) => named(name)[0]?.spanContext());
  expect(exchange?.spanContext().traceId).toBe(first?.traceId);
  expect(named(JOIN).map((span) => span.spanContext().traceId)).toEqual([second?.traceId, third?.traceId]);
  for (const join of named(JOIN)) {
    expect(join.links.map((link) => link.context)).toEqual([exchange?.spanContext()]);
  }
  expect(records).toMatchObject([
    { outcome: 'issued', sub: 'alice', trace_id: first?.traceId, span_id: exchange?.spanContext().spanId },
  ]);
  expect(await lookUps(series)).toEqual({ exchanged: 1, joined: 2, hit: 1 });
});

test('a refresh ahead is a trace of its own, linked to the use that set it off', async () => {
  const clock = createClock();
  const { broker, run, sts, spans, records, telemetry } = await startObserved({ now: clock.now });
  await broker.token(run, 'calendar');
  clock.advance(285_000);
  await inSpan('use', () => broker.token(run, 'calendar'));
  await sts.arrived(2);
  while (records.length < 2) await new Promise((resolve) => setImmediate(resolve));
  const use = spans().find(({ name }) => name === 'use');
  const refresh = spans().find(({ attributes }) => attributes['onbehalf.exchange.reason'] === 'refresh');
  expect(refresh?.name).toBe(EXCHANGE);
  expect(refresh?.parentSpanContext).toBeUndefined();
  expect(refresh?.links.map((link) => link.context)).toEqual([use?.spanContext()]);
  expect(records[1]).toMatchObject({ reason: 'refresh', trace_id: refresh?.spanContext().traceId });
  expect(telemetry.auditFailures).toBe(0);
});

test('what the STS refuses is a failed exchange with its code, in metrics, span and audit record alike', async () => {
  const { broker, run, sts, span, records, series } = await startObserved();
  sts.handle(always({ error: 'invalid_target' }, { status: 400 }));
  await failureOf(broker.token(run, 'calendar'));
  const failed = { 'onbehalf.exchange.outcome': 'failed', 'error.type': 'sts_error' };
  expect(span(EXCHANGE).attributes).toMatchObject({
    ...failed,
    'http.response.status_code': 400,
    'onbehalf.exchange.oauth_error': 'invalid_target',
  });
  expect(await series('onbehalf.exchange.duration')).toMatchObject([[failed, { count: 1 }]]);
  expect(records).toMatchObject([
    { outcome: 'failed', code: 'sts_error', oauth_error: 'invalid_target', http_status: 400 },
  ]);
});

test('an exchange that its caller gives up is aborted', async () => {
  const { broker, run, sts, records, series, span } = await startObserved();
  sts.handle(never);
  const controller = new AbortController();
  const waiting = thrownBy(broker.token(run, 'calendar', { signal: controller.signal }));
  await sts.arrived(1);
  controller.abort(new Error('the user has left'));
  await waiting;
  while (records.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(records).toMatchObject([{ outcome: 'aborted' }]);
  const aborted = { 'onbehalf.exchange.outcome': 'aborted' };
  expect(await series('onbehalf.exchange.duration')).toMatchObject([[aborted, { count: 1 }]]);
  expect(span(EXCHANGE).attributes).toMatchObject(aborted);
});

test('a breaker that opens shows, under the server that the exchanges are counted for', async () => {
  const { broker, sts, series } = await startObserved(
    { refusalTtlMs: 0 },
    { breaker: { failures: 2, openMs: 60_000 } },
  );
  sts.handle((_request, response) => json(response, {}, { status: 503 }));
  // One user's failures alone would not open it.
  for (const user of ['alice', 'bob', 'carol']) {
    const run = broker.begin({ subjectToken: subjectJwt(user) });
    await failureOf(broker.token(run, 'calendar'));
  }
  const server = { 'server.address': '127.0.0.1', 'server.port': Number(sts.host.split(':')[1]) };
  expect(await series('onbehalf.breaker.status')).toEqual([
    [{ ...server, 'onbehalf.breaker.state': 'closed' }, 0],
    [{ ...server, 'onbehalf.breaker.state': 'half_open' }, 0],
    [{ ...server, 'onbehalf.breaker.state': 'open' }, 1],
  ]);
  const codes = (await series('onbehalf.exchange.duration')).map(([attributes]) => attributes['error.type']);
  expect(new Set(codes)).toEqual(new Set(['sts_error', 'sts_circuit_open']));
});

test('a shared store that fails shows as down, and the exchange is made without it', async () => {
  const down = (): Promise<never> => Promise.reject(new Error('no store'));
  const store: SharedStore = { get: down, set: down, delete: down, lease: down };
  const { broker, run, series, records } = await startObserved({ store, retention: 'subject' });
  await broker.token(run, 'calendar');
  expect(await series('onbehalf.store.status')).toEqual([
    [{ 'onbehalf.store.state': 'up' }, 0],
    [{ 'onbehalf.store.state': 'down' }, 1],
  ]);
  expect(records).toMatchObject([{ outcome: 'issued' }]);
});

test('a shared store that works shows as up from the start where the broker is watched, and as down when it fails', async () => {
  const values = new Map<string, string>();
  let fails = false;
  const answer = async <T>(value: T): Promise<T> => {
    if (fails) throw new Error('no store');
    return value;
  };
  const store: SharedStore = {
    get: (key) => answer(values.get(key)),
    set: (key, value) => answer(void values.set(key, value)),
    delete: (key) => answer(void values.delete(key)),
    lease: () => answer({ release: async () => {} }),
  };
  const { telemetry, broker, run, series } = await startObserved({ store, retention: 'subject' });
  const state = async () =>
    (await series('onbehalf.store.status')).map(([attributes, value]) => [
      attributes['onbehalf.store.state'],
      value,
    ]);
  expect(await state()).toEqual([]);
  telemetry.watch(broker);
  await broker.token(run, 'calendar');
  expect(await state()).toEqual([
    ['up', 1],
    ['down', 0],
  ]);
  fails = true;
  await broker.token(run, 'mail');
  expect(await state()).toEqual([
    ['up', 0],
    ['down', 1],
  ]);
});

test('a broker without a store shows no state of one', async () => {
  const { telemetry, broker, run, series } = await startObserved();
  telemetry.watch(broker);
  await broker.token(run, 'calendar');
  expect(await series('onbehalf.store.status')).toEqual([]);
});

test('a broker that is watched tells what it keeps', async () => {
  const { telemetry, broker, run, series } = await startObserved();
  telemetry.watch(broker);
  await Promise.all([broker.token(run, 'calendar'), broker.token(run, 'files')]);
  expect(await series('onbehalf.pool.size')).toEqual([
    [{ 'onbehalf.pool.name': 'tokens' }, 2],
    [{ 'onbehalf.pool.name': 'delegations' }, 1],
  ]);
});

test('requests of an exchange are made inside its span, so that an instrumented fetch shows below it', async () => {
  const reached = deferred();
  let inside: string | undefined;
  const { broker, run, span } = await startObserved(
    {},
    {
      fetch: (url, init) => {
        inside = trace.getActiveSpan()?.spanContext().spanId;
        reached.resolve();
        return fetch(url, init);
      },
    },
  );
  await inSpan('request', () => broker.token(run, 'calendar'));
  await reached.promise;
  expect(inside).toBe(span(EXCHANGE).spanContext().spanId);
});

test('what failed and what was granted are told apart by outcome, in one metric', async () => {
  const { broker, run, sts, series } = await startObserved({ refusalTtlMs: 0 });
  sts.handle(always({}, { status: 503 }));
  await failureOf(broker.token(run, 'calendar'));
  sts.handle(granting());
  await broker.token(run, 'calendar');
  const outcomes = (await series('onbehalf.exchange.duration')).map(([attributes]) => [
    attributes['onbehalf.exchange.outcome'],
    attributes['error.type'],
  ]);
  expect(outcomes).toEqual([
    ['failed', 'sts_error'],
    ['issued', undefined],
  ]);
});
