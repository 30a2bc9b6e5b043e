import type { Attributes } from '@opentelemetry/api';
import { DataPointType, type MetricData } from '@opentelemetry/sdk-metrics';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { OnbehalfError } from '../../src/core/errors.ts';
import { FAILED, ISSUED, LOOK_UP, START, startTelemetry } from './support.ts';

/** One metric with all attributes that it can have, and their values. */
export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly attributes: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Makes telemetry do all that it can, and gives what comes out at the SDK. */
export async function exportEverything(): Promise<{
  readonly metrics: readonly Metric[];
  readonly spans: readonly ReadableSpan[];
}> {
  const audit = (): never => {
    throw new Error('not kept');
  };
  const { telemetry, observer, metrics, spans } = await startTelemetry({ audit });
  const error = new OnbehalfError('sts_error', 'no', { failure: 'denied', status: 400, oauthError: 'no' });
  for (const kind of ['exchange', 'join'] as const) {
    await observer.trace?.(kind, START, async () => {});
    await observer.trace?.(kind, START, () => Promise.reject(error)).catch(() => {});
  }
  for (const event of [ISSUED, FAILED, { ...ISSUED, outcome: 'aborted' as const }]) {
    for (const reason of ['demand', 'refresh'] as const) observer.exchange?.({ ...event, reason });
  }
  for (const result of ['hit', 'shared', 'joined', 'exchanged', 'refused'] as const) {
    observer.lookUp?.({ ...LOOK_UP, result });
  }
  telemetry.watch({ stats: () => ({ entries: 1, delegations: 1 }) as never });
  return { metrics: (await metrics()).map(summary), spans: spans() };
}

function summary({ descriptor, dataPointType, dataPoints, ...more }: MetricData): Metric {
  const attributes = new Map<string, Set<string>>();
  for (const point of dataPoints as readonly { readonly attributes: Attributes }[]) {
    for (const [name, value] of Object.entries(point.attributes)) {
      attributes.set(name, (attributes.get(name) ?? new Set()).add(String(value)));
    }
  }
  const monotonic = 'isMonotonic' in more && more.isMonotonic;
  const histogram = dataPointType === DataPointType.HISTOGRAM;
  const kind = histogram ? 'histogram' : monotonic ? 'counter' : 'gauge';
  return { name: descriptor.name, unit: descriptor.unit, kind, attributes };
}
