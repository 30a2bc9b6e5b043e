import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import type { BrokerObserver } from '../broker/observer.ts';
import type { Broker } from '../broker/types.ts';
import { checkOptions } from '../core/options.ts';
import { loadPeer } from '../core/peer.ts';
import { errorType } from './attributes.ts';
import { type AuditSink, createAuditor } from './audit.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { quietly } from './quietly.ts';
import { SCOPE } from './scope.ts';
import { createSpans, type Spans } from './spans.ts';

/** Options of {@link createTelemetry}. */
export interface TelemetryOptions {
  /** Makes the meter. Default: the global one of `@opentelemetry/api`, as it is when this is called. */
  readonly meterProvider?: MeterProvider | undefined;
  /** Makes the tracer. Default: the global one of `@opentelemetry/api`. */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Gets a record of each exchange. Default: no records are made. */
  readonly audit?: AuditSink | undefined;
  /** Most different values of `onbehalf.audience` in metrics; those that come later count as `_other`. Default: 100. */
  readonly maxAudiences?: number | undefined;
}

/** What a broker is observed by, and what else can be measured. */
export interface Telemetry {
  /** Looks on: `createBroker({ observer: telemetry.observer })`. One may look on at several brokers. */
  readonly observer: BrokerObserver;
  /**
   * Measures how many tokens and delegations a broker keeps, as `onbehalf.pool.size`, and whether its shared store is up,
   * as `onbehalf.store.status`.
   *
   * @returns the way to stop
   */
  watch(broker: Pick<Broker, 'stats'>): () => void;
  /**
   * Measures a size as `onbehalf.pool.size`, for example `('mcp_sessions', () => pool.size)`. Sizes of one name are
   * added up. `read` is called when metrics are collected; when it throws, or gives no number, it is left out. A size
   * that is no longer measured is zero.
   *
   * @param name - one of few: each is a time series
   * @returns the way to stop
   */
  observeSize(name: string, read: () => number): () => void;
  /** Audit records that the sink did not keep. */
  readonly auditFailures: number;
}

/**
 * Makes OpenTelemetry metrics and spans of what brokers do, and audit records. Call it once, when the SDK
 * has been set up: two at one provider would overwrite each other's sizes and states.
 *
 * @throws OnbehalfError `peer_missing` when `@opentelemetry/api` is not installed
 * @throws TypeError when an option is not of its form
 */
export async function createTelemetry(options: TelemetryOptions = {}): Promise<Telemetry> {
  checkOptions(options, 'createTelemetry()', {
    meterProvider: 'object?',
    tracerProvider: 'object?',
    audit: 'function?',
    maxAudiences: 'positive?',
  });
  const api = await loadPeer('@opentelemetry/api', 'onbehalf/telemetry', () => import('@opentelemetry/api'));
  const { meterProvider = api.metrics, tracerProvider = api.trace, audit } = options;
  const metrics = createMetrics(
    meterProvider.getMeter(SCOPE.name, SCOPE.version),
    options.maxAudiences ?? 100,
  );
  const spans = createSpans(api, tracerProvider.getTracer(SCOPE.name, SCOPE.version));
  let auditFailures = 0;
  const onAuditFailure = (error: unknown): void => {
    auditFailures += 1;
    quietly(() => metrics.auditFailure(errorType(error)));
  };

  return Object.freeze<Telemetry>({
    observer: createObserver(metrics, spans, audit && createAuditor(audit, onAuditFailure)),
    watch(broker) {
      const stops = [
        metrics.observeSize('tokens', () => broker.stats().entries),
        metrics.observeSize('delegations', () => broker.stats().delegations),
        metrics.observeStore(() => broker.stats().store),
      ];
      return () => {
        for (const stop of stops) stop();
      };
    },
    observeSize: metrics.observeSize,
    get auditFailures() {
      return auditFailures;
    },
  });
}

function createObserver(
  metrics: Metrics,
  spans: Spans,
  audit: ReturnType<typeof createAuditor> | undefined,
): BrokerObserver {
  return Object.freeze<BrokerObserver>({
    exchange(event) {
      quietly(() => metrics.exchange(event));
      audit?.(event, spans.contextOf(event.id));
    },
    lookUp: (event) => void quietly(() => metrics.lookUp(event)),
    breaker: metrics.breaker,
    store: metrics.store,
    trace: spans.trace,
  });
}
