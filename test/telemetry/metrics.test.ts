import type { Attributes } from '@opentelemetry/api';
import { DataPointType } from '@opentelemetry/sdk-metrics';
import { expect, test } from 'vitest';
import { FAILED, ISSUED, LOOK_UP, startTelemetry } from './support.ts';

const DURATION = 'onbehalf.exchange.duration';
const LOOK_UPS = 'onbehalf.token.lookups';
const BREAKER = 'onbehalf.breaker.status';
const STORE = 'onbehalf.store.status';
const SIZE = 'onbehalf.pool.size';
const STATS = { entries: 5, delegations: 2, exchanges: 0, failures: 0, hits: 0, joined: 0 };

const STS = { 'server.address': 'sts.example.com', 'server.port': 443 };
const EXCHANGE = {
  ...STS,
  'onbehalf.audience': 'calendar',
  'onbehalf.profile': 'rfc8693',
  'onbehalf.exchange.reason': 'demand',
};

test('an exchange is recorded in seconds, by STS, audience, profile, reason and outcome', async () => {
  const { observer, series, metrics } = await startTelemetry();
  observer.exchange?.(ISSUED);
  observer.exchange?.({ ...ISSUED, durationMs: 77 });
  expect(await series(DURATION)).toEqual([
    [
      { ...EXCHANGE, 'onbehalf.exchange.outcome': 'issued' },
      expect.objectContaining({ count: 2, sum: expect.closeTo(0.1), min: 0.023, max: 0.077 }),
    ],
  ]);
  const metric = (await metrics()).find(({ descriptor }) => descriptor.name === DURATION);
  expect(metric?.descriptor.unit).toBe('s');
  expect(metric?.dataPointType).toBe(DataPointType.HISTOGRAM);
});

test('durations from milliseconds to half a minute fall into different buckets', async () => {
  const { observer, series } = await startTelemetry();
  for (const durationMs of [3, 30, 300, 3_000, 20_000]) observer.exchange?.({ ...ISSUED, durationMs });
  const [[, value] = []] = await series(DURATION);
  const { buckets } = value as { buckets: { counts: number[] } };
  expect(buckets.counts.filter((count) => count === 1)).toHaveLength(5);
});

test('a failure has its code as error.type, an exchange that was given up has none', async () => {
  const { observer, series } = await startTelemetry();
  observer.exchange?.(FAILED);
  observer.exchange?.({ ...FAILED, code: undefined });
  observer.exchange?.({ ...ISSUED, outcome: 'aborted' });
  expect((await series(DURATION)).map(([attributes]) => attributes)).toEqual([
    { ...EXCHANGE, 'onbehalf.exchange.outcome': 'failed', 'error.type': 'sts_error' },
    { ...EXCHANGE, 'onbehalf.exchange.outcome': 'failed', 'error.type': '_OTHER' },
    { ...EXCHANGE, 'onbehalf.exchange.outcome': 'aborted' },
  ]);
});

test('a clock that was set back does not make a negative duration', async () => {
  const { observer, series } = await startTelemetry();
  observer.exchange?.({ ...ISSUED, durationMs: -5 });
  expect(await series(DURATION)).toEqual([[expect.anything(), expect.objectContaining({ sum: 0 })]]);
});

test.each<[string, Attributes]>([
  ['https://sts.example.com/token', STS],
  ['http://localhost/token', { 'server.address': 'localhost', 'server.port': 80 }],
  ['https://sts.example.com:8443/token?p=1', { 'server.address': 'sts.example.com', 'server.port': 8443 }],
  ['http://[::1]:9000/token', { 'server.address': '::1', 'server.port': 9000 }],
])('the server of %s is %j', async (tokenEndpoint, server) => {
  const { observer, series } = await startTelemetry();
  observer.exchange?.({ ...ISSUED, tokenEndpoint });
  const [[attributes] = []] = await series(DURATION);
  expect(attributes).toEqual({ ...EXCHANGE, ...server, 'onbehalf.exchange.outcome': 'issued' });
});

test('requests for a token are counted by where the answer came from', async () => {
  const { observer, series } = await startTelemetry();
  const results = ['hit', 'hit', 'shared', 'joined', 'exchanged', 'refused', 'hit'] as const;
  for (const result of results) observer.lookUp?.({ ...LOOK_UP, result });
  const counted = (await series(LOOK_UPS)).map(([attributes, value]) => [
    attributes['onbehalf.lookup.result'],
    value,
  ]);
  expect(counted).toEqual([
    ['hit', 3],
    ['shared', 1],
    ['joined', 1],
    ['exchanged', 1],
    ['refused', 1],
  ]);
});

test('a target is named by its audiences and resources, and not at all when it has none', async () => {
  const { observer, series } = await startTelemetry();
  const targets = [
    { audiences: ['a', 'b'], resources: ['https://mcp.example.com/x'] },
    { audiences: [], resources: [] },
  ];
  for (const target of targets) observer.lookUp?.({ ...LOOK_UP, ...target });
  expect((await series(LOOK_UPS)).map(([attributes]) => attributes)).toEqual([
    { 'onbehalf.lookup.result': 'hit', 'onbehalf.audience': 'a b https://mcp.example.com/x' },
    { 'onbehalf.lookup.result': 'hit' },
  ]);
});

test('audiences beyond the bound count as one other, in all metrics; those before it keep their names', async () => {
  const { observer, series } = await startTelemetry({ maxAudiences: 2 });
  for (const name of ['a', 'b', 'c', 'd', 'a']) observer.lookUp?.({ ...LOOK_UP, audiences: [name] });
  observer.exchange?.({ ...ISSUED, audiences: ['e'] });
  const counted = (await series(LOOK_UPS)).map(([attributes, value]) => [
    attributes['onbehalf.audience'],
    value,
  ]);
  expect(counted).toEqual([
    ['a', 2],
    ['b', 1],
    ['_other', 2],
  ]);
  const [[attributes] = []] = await series(DURATION);
  expect(attributes?.['onbehalf.audience']).toBe('_other');
});

test('a breaker is closed from the first exchange on, and 1 for the state that it changes to', async () => {
  const { observer, series } = await startTelemetry();
  const states = async () =>
    (await series(BREAKER)).map(([{ 'onbehalf.breaker.state': state, ...server }, value]) => {
      expect(server).toEqual(STS);
      return [state, value];
    });
  expect(await states()).toEqual([]);
  observer.exchange?.(ISSUED);
  expect(Object.fromEntries(await states())).toEqual({ closed: 1, half_open: 0, open: 0 });
  observer.breaker?.({ sts: 'https://sts.example.com', state: 'open' });
  observer.exchange?.(FAILED);
  expect(Object.fromEntries(await states())).toEqual({ closed: 0, half_open: 0, open: 1 });
  observer.breaker?.({ sts: 'https://sts.example.com', state: 'half_open' });
  expect(Object.fromEntries(await states())).toEqual({ closed: 0, half_open: 1, open: 0 });
});

test('an exchange that comes after its breaker has opened does not close it', async () => {
  const { observer, series } = await startTelemetry();
  observer.breaker?.({ sts: 'https://sts.example.com', state: 'open' });
  observer.exchange?.(FAILED);
  const open = (await series(BREAKER)).filter(([, value]) => value === 1);
  expect(open).toEqual([[{ ...STS, 'onbehalf.breaker.state': 'open' }, 1]]);
});

test('each STS has a breaker of its own, and the oldest of more than a hundred is dropped', async () => {
  const { observer, series } = await startTelemetry();
  for (let i = 0; i <= 100; i++) observer.breaker?.({ sts: `https://sts-${i}.example.com`, state: 'open' });
  const open = (await series(BREAKER)).filter(([, value]) => value === 1);
  const servers = open.map(([attributes]) => attributes['server.address']);
  expect(servers).toHaveLength(100);
  expect(servers).not.toContain('sts-0.example.com');
  expect(servers).toContain('sts-100.example.com');
});

test('the state of the shared store is not told until something is known of it', async () => {
  const { observer, series } = await startTelemetry();
  const states = async () =>
    (await series(STORE)).map(([attributes, value]) => [attributes['onbehalf.store.state'], value]);
  observer.lookUp?.(LOOK_UP);
  expect(await states()).toEqual([]);
  observer.lookUp?.({ ...LOOK_UP, result: 'shared' });
  expect(Object.fromEntries(await states())).toEqual({ up: 1, down: 0 });
  observer.store?.({ state: 'down' });
  // Asked before it went down, answered after.
  observer.lookUp?.({ ...LOOK_UP, result: 'shared' });
  expect(Object.fromEntries(await states())).toEqual({ up: 0, down: 1 });
  observer.store?.({ state: 'up' });
  expect(Object.fromEntries(await states())).toEqual({ up: 1, down: 0 });
});

test('of brokers that are watched the store is down if it is for one of them, and no state is left when that is stopped', async () => {
  const { telemetry, observer, series } = await startTelemetry();
  const states = async () =>
    Object.fromEntries(
      (await series(STORE)).map(([attributes, value]) => [attributes['onbehalf.store.state'], value]),
    );
  const watch = (store: string) => telemetry.watch({ stats: () => ({ ...STATS, store }) as never });
  const unreadable = telemetry.watch({
    stats: () => {
      throw new Error('closed');
    },
  });
  const stopNone = watch('none');
  expect(await states()).toEqual({});
  const stopUp = watch('up');
  expect(await states()).toEqual({ up: 1, down: 0 });
  const stopDown = watch('down');
  expect(await states()).toEqual({ up: 0, down: 1 });
  stopDown();
  expect(await states()).toEqual({ up: 1, down: 0 });
  for (const stop of [stopUp, stopNone, unreadable]) stop();
  expect(await states()).toEqual({ up: 0, down: 0 });
  observer.store?.({ state: 'down' });
  expect(await states()).toEqual({ up: 0, down: 1 });
});

test('sizes of one name are added up, those that cannot be read are left out, and each can be stopped', async () => {
  const { telemetry, series } = await startTelemetry();
  const sizes = async () =>
    Object.fromEntries((await series(SIZE)).map(([{ 'onbehalf.pool.name': name }, value]) => [name, value]));
  const size = (): number => 4;
  telemetry.observeSize('sessions', () => 3);
  const stopOne = telemetry.observeSize('sessions', size);
  telemetry.observeSize('sessions', size);
  telemetry.observeSize('sessions', () => {
    throw new Error('closed');
  });
  telemetry.observeSize('others', () => Number.NaN);
  expect(await sizes()).toEqual({ sessions: 11 });
  stopOne();
  stopOne();
  expect(await sizes()).toEqual({ sessions: 7 });
});

test('a broker that is watched tells how much it keeps, and nothing is kept when that is stopped', async () => {
  const { telemetry, series } = await startTelemetry();
  const stop = telemetry.watch({ stats: () => STATS as never });
  const sizes = async () =>
    (await series(SIZE)).map(([attributes, value]) => [...Object.values(attributes), value]);
  expect(await sizes()).toEqual([
    ['tokens', 5],
    ['delegations', 2],
  ]);
  stop();
  expect(await sizes()).toEqual([
    ['tokens', 0],
    ['delegations', 0],
  ]);
});
