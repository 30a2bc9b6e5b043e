/**
 * OpenTelemetry metrics and spans, and an audit record of each exchange. Nothing of it runs, and nothing of
 * OpenTelemetry is loaded, unless `createTelemetry` is called.
 */
export type { AuditRecord, AuditSink } from './audit.ts';
export { type AuditFileSink, type NdjsonOptions, ndjsonFileSink, ndjsonSink } from './ndjson.ts';
export { createTelemetry, type Telemetry, type TelemetryOptions } from './telemetry.ts';
