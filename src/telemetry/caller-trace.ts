import type { IncomingHttpHeaders } from 'node:http';

type Api = typeof import('@opentelemetry/api');

let loading: Promise<Api | undefined> | undefined;

/**
 * Does the work on a request as part of its caller's trace (`traceparent`, W3C Trace Context), where OpenTelemetry is set up: else
 * each run is a trace of its own. Whoever instruments HTTP has seen to that already.
 */
export async function inTraceOf<T>(headers: IncomingHttpHeaders, work: () => Promise<T>): Promise<T> {
  // ADK brings it along; without it there are no traces.
  loading ??= import('@opentelemetry/api').catch(() => undefined);
  const api = await loading;
  if (!api || api.trace.getActiveSpan()) return work();
  const { traceparent, tracestate } = headers;
  // Nothing else of the request: baggage would go wherever this agent's requests go.
  const context = api.propagation.extract(api.context.active(), { traceparent, tracestate });
  return api.context.with(context, work);
}
