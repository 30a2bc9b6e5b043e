import type { BrokerObserver } from '../../src/broker/observer.ts';
import { createTelemetry } from '../../src/telemetry/index.ts';
import { startSdk } from '../telemetry/support.ts';

/** Hears all that brokers tell, and takes it into telemetry and audit records as a user would. */
export interface Onlooker {
  readonly observer: BrokerObserver;
  /** What came of it, by name. */
  heard(): Promise<Readonly<Record<string, unknown>>>;
}

export async function createOnlooker(): Promise<Onlooker> {
  const events: unknown[] = [];
  const records: unknown[] = [];
  const sdk = startSdk();
  const { meterProvider, tracerProvider } = sdk;
  const audit = (record: unknown): void => void records.push(record);
  const { observer } = await createTelemetry({ meterProvider, tracerProvider, audit });
  const hear =
    <T>(also: ((event: T) => void) | undefined) =>
    (event: T): void => {
      events.push(event);
      also?.(event);
    };
  return {
    observer: {
      exchange: hear(observer.exchange),
      lookUp: hear(observer.lookUp),
      breaker: hear(observer.breaker),
      store: hear(observer.store),
      trace(kind, about, run) {
        events.push(about);
        return observer.trace ? observer.trace(kind, about, run) : run();
      },
    },
    heard: async () => ({
      'an event': events,
      'an audit record': records,
      // Not the spans themselves, which hold on to the whole SDK.
      'a span': sdk
        .spans()
        .map(({ name, attributes, status, events: ticks }) => [name, attributes, status, ticks]),
      'a metric': await sdk.metrics(),
    }),
  };
}
