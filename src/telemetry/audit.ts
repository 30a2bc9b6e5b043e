import type { SpanContext } from '@opentelemetry/api';
import type { ExchangeEvent } from '../broker/observer.ts';
import type { ErrorCode, FailureClass } from '../core/errors.ts';
import { parseUrl } from '../core/url.ts';
import { shown } from './shown.ts';

/**
 * What one exchange was: who, for whom, for what, and what came of it. Never a token. Names are those of the claims and
 * parameters (RFC 7519, RFC 8693); what is not known is left out. `v` changes when a field changes its meaning or goes.
 *
 * Claims are as the tokens have them, line breaks included: a sink that writes text must escape them, as
 * `ndjsonSink` does.
 */
export interface AuditRecord {
  /** Version of this form. */
  readonly v: 1;
  /** What this is a record of. */
  readonly event: 'token_exchange';
  /** When the exchange began, ISO 8601, UTC. */
  readonly time: string;
  /** `failed` also when what was issued was refused here; `aborted` when everybody who waited has gone. */
  readonly outcome: 'issued' | 'failed' | 'aborted';
  /** `demand`: somebody waited for it. `refresh`: made ahead, while the last token was still good. */
  readonly reason: 'demand' | 'refresh';
  /** `sub` of the subject token: the user. */
  readonly sub?: string | undefined;
  /** `iss` of the subject token. */
  readonly iss?: string | undefined;
  /** `sub` of the actor token: who acts for the user. */
  readonly act?: string | undefined;
  /** `client_id` at the STS. */
  readonly client_id: string;
  /** Audiences that were asked for. */
  readonly aud: readonly string[];
  /** Resources that were asked for (RFC 8707). */
  readonly resource: readonly string[];
  /** Scope that was asked for, space-separated. */
  readonly scope?: string | undefined;
  /** Token endpoint, without its query. */
  readonly sts: string;
  /** Profile of the STS. */
  readonly profile: string;
  /** SHA-256 of the subject token, base64url. */
  readonly subject_token_digest: string;
  /** SHA-256 of the issued token, base64url. */
  readonly token_digest?: string | undefined;
  /** Until when the issued token is used, ISO 8601, UTC. */
  readonly usable_until?: string | undefined;
  /** How long it took, retries included. */
  readonly duration_ms: number;
  /** Code of the failure, see `OnbehalfError`. */
  readonly code?: ErrorCode | undefined;
  /** Class of the failure. */
  readonly failure?: FailureClass | undefined;
  /** `error` that the STS answered with, redacted. */
  readonly oauth_error?: string | undefined;
  /** HTTP status behind the failure. */
  readonly http_status?: number | undefined;
  /** Trace of the exchange, 32 hexadecimal digits. */
  readonly trace_id?: string | undefined;
  /** Span of the exchange, 16 hexadecimal digits. */
  readonly span_id?: string | undefined;
}

/**
 * Takes audit records. No exchange waits for it. To say that a record was not kept it throws, or rejects what it
 * returns: that is counted, and changes nothing else.
 */
export type AuditSink = (record: AuditRecord) => void | Promise<void>;

/** @param span - of the exchange, where there is one */
export function auditRecord(event: ExchangeEvent, span: SpanContext | undefined): AuditRecord {
  return withoutUnknown({
    v: 1,
    event: 'token_exchange',
    time: new Date(event.at).toISOString(),
    outcome: event.outcome,
    reason: event.reason,
    sub: optional(event.sub),
    iss: optional(event.iss),
    act: optional(event.act),
    client_id: shown(event.clientId),
    aud: list(event.audiences),
    resource: list(event.resources),
    scope: optional(event.scope),
    sts: withoutQuery(event.tokenEndpoint),
    profile: event.profile,
    subject_token_digest: event.subjectTokenDigest,
    token_digest: event.tokenDigest,
    usable_until: event.usableUntil === undefined ? undefined : new Date(event.usableUntil).toISOString(),
    duration_ms: Math.max(0, event.durationMs),
    code: event.code,
    failure: event.failure,
    oauth_error: optional(event.oauthError),
    http_status: event.status,
    trace_id: span?.traceId,
    span_id: span?.spanId,
  });
}

/**
 * Hands records to a sink, whatever the sink does.
 *
 * @param onFailure - told when a record was not kept
 */
export function createAuditor(
  sink: AuditSink,
  onFailure: (error: unknown) => void,
): (event: ExchangeEvent, span: SpanContext | undefined) => void {
  return (event, span) => {
    try {
      const kept = sink(auditRecord(event, span));
      if (kept !== undefined) Promise.resolve(kept).catch(onFailure);
    } catch (error) {
      onFailure(error);
    }
  };
}

const optional = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : shown(value);

const list = (values: readonly string[]): readonly string[] =>
  Object.freeze(values.map((value) => shown(value)));

function withoutUnknown(record: AuditRecord): AuditRecord {
  const known = Object.entries(record).filter(([, value]) => value !== undefined);
  return Object.freeze(Object.fromEntries(known) as unknown as AuditRecord);
}

function withoutQuery(url: string): string {
  if (!parseUrl(url)) return shown(url);
  const { origin, pathname } = new URL(url);
  return shown(`${origin}${pathname}`);
}
