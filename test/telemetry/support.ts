import { type Attributes, context, metrics, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { onTestFinished } from 'vitest';
import type { BrokerObserver, ExchangeEvent, ExchangeStart, LookUpEvent } from '../../src/broker/observer.ts';
import { createTelemetry, type Telemetry, type TelemetryOptions } from '../../src/telemetry/index.ts';

/** The OpenTelemetry SDK, with everything in memory. */
export interface Sdk {
  readonly meterProvider: MeterProvider;
  readonly tracerProvider: NodeTracerProvider;
  /** Spans that have ended, in that order. */
  spans(): readonly ReadableSpan[];
  /** The only span of that name. */
  span(name: string): ReadableSpan;
  /** Forgets the spans. */
  reset(): void;
  /** All metrics as of now. */
  metrics(): Promise<readonly MetricData[]>;
  /** Attributes and value of each series of a metric; none when there is no such metric. */
  series(name: string): Promise<readonly (readonly [Attributes, unknown])[]>;
}

/** Sets the SDK up, its context manager included, and takes it down at the end of the test. */
export function startSdk(...more: readonly SpanProcessor[]): Sdk {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new NodeTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter), ...more],
  });
  tracerProvider.register();
  // Collected when a test asks, and in no interval.
  const reader = new PeriodicExportingMetricReader({
    exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
    exportIntervalMillis: 2 ** 30,
  });
  const meterProvider = new MeterProvider({ readers: [reader] });
  onTestFinished(async () => {
    for (const api of [context, trace, metrics]) api.disable();
    await Promise.allSettled([tracerProvider.shutdown(), meterProvider.shutdown()]);
  });
  const all = async (): Promise<readonly MetricData[]> => {
    const { resourceMetrics, errors } = await reader.collect();
    if (errors.length > 0) throw new AggregateError(errors);
    return resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  };
  return {
    meterProvider,
    tracerProvider,
    spans: () => exporter.getFinishedSpans(),
    span(name) {
      const [found, ...others] = exporter.getFinishedSpans().filter((span) => span.name === name);
      if (!found || others.length > 0) throw new Error(`there is not exactly one span "${name}"`);
      return found;
    },
    reset: () => exporter.reset(),
    metrics: all,
    async series(name) {
      const points = (await all()).find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
      return points.map(({ attributes, value }) => [attributes, value]);
    },
  };
}

/** Telemetry at an SDK of its own. */
export async function startTelemetry(
  options: Omit<TelemetryOptions, 'meterProvider' | 'tracerProvider'> = {},
): Promise<Sdk & { readonly telemetry: Telemetry; readonly observer: BrokerObserver }> {
  const sdk = startSdk();
  const { meterProvider, tracerProvider } = sdk;
  const telemetry = await createTelemetry({ meterProvider, tracerProvider, ...options });
  return { ...sdk, telemetry, observer: telemetry.observer };
}

export const START: ExchangeStart = {
  id: 'exchange-1',
  reason: 'demand',
  tokenEndpoint: 'https://sts.example.com/oauth2/token',
  profile: 'rfc8693',
  clientId: 'agent',
  audiences: ['calendar'],
  resources: [],
  scope: 'read',
  sub: 'alice',
  iss: 'https://idp.example.com',
};

export const ISSUED: ExchangeEvent = {
  ...START,
  at: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  durationMs: 23,
  act: 'assistant',
  subjectTokenDigest: 'digest-of-the-subject-token',
  outcome: 'issued',
  tokenDigest: 'digest-of-the-issued-token',
  usableUntil: Date.UTC(2026, 0, 2, 3, 8, 55),
  code: undefined,
  failure: undefined,
  oauthError: undefined,
  status: undefined,
};

export const FAILED: ExchangeEvent = {
  ...ISSUED,
  outcome: 'failed',
  tokenDigest: undefined,
  usableUntil: undefined,
  code: 'sts_error',
  failure: 'denied',
  oauthError: 'invalid_target',
  status: 400,
};

export const LOOK_UP: LookUpEvent = { result: 'hit', audiences: ['calendar'], resources: [] };

/** A promise that is resolved from outside. */
export function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
