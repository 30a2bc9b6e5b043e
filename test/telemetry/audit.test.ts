import { trace } from '@opentelemetry/api';
import { expect, test } from 'vitest';
import { OnbehalfError } from '../../src/core/errors.ts';
import { type AuditRecord, type AuditSink, createTelemetry } from '../../src/telemetry/index.ts';
import { FAILED, ISSUED, START, startTelemetry } from './support.ts';

/** Telemetry that keeps its audit records. */
async function startAudit() {
  const records: AuditRecord[] = [];
  return { records, ...(await startTelemetry({ audit: (record) => void records.push(record) })) };
}

const RECORD = {
  v: 1,
  event: 'token_exchange',
  time: '2026-01-02T03:04:05.678Z',
  reason: 'demand',
  sub: 'alice',
  iss: 'https://idp.example.com',
  act: 'assistant',
  client_id: 'agent',
  aud: ['calendar'],
  resource: [],
  scope: 'read',
  sts: 'https://sts.example.com/oauth2/token',
  profile: 'rfc8693',
  subject_token_digest: 'digest-of-the-subject-token',
  duration_ms: 23,
};

test('the record of an issued token says who, for whom, for what, where, when and until when', async () => {
  const { observer, records } = await startAudit();
  observer.exchange?.(ISSUED);
  expect(records).toStrictEqual([
    {
      ...RECORD,
      outcome: 'issued',
      token_digest: 'digest-of-the-issued-token',
      usable_until: '2026-01-02T03:08:55.000Z',
    },
  ]);
});

test('the record of a failure says why', async () => {
  const { observer, records } = await startAudit();
  observer.exchange?.(FAILED);
  expect(records).toStrictEqual([
    {
      ...RECORD,
      outcome: 'failed',
      code: 'sts_error',
      failure: 'denied',
      oauth_error: 'invalid_target',
      http_status: 400,
    },
  ]);
});

test('what is not known is left out', async () => {
  const { observer, records } = await startAudit();
  const unknown = { sub: undefined, iss: undefined, act: undefined, scope: undefined };
  observer.exchange?.({
    ...ISSUED,
    ...unknown,
    outcome: 'aborted',
    tokenDigest: undefined,
    usableUntil: undefined,
  });
  const { sub: _sub, iss: _iss, act: _act, scope: _scope, ...known } = RECORD;
  expect(records).toStrictEqual([{ ...known, outcome: 'aborted' }]);
});

test('a record cannot be changed by a sink', async () => {
  const { observer, records } = await startAudit();
  observer.exchange?.(ISSUED);
  const [record] = records;
  for (const value of [record, record?.aud, record?.resource]) expect(Object.isFrozen(value)).toBe(true);
});

test('a record names the trace and the span of its exchange', async () => {
  const { observer, records, span } = await startAudit();
  await observer.trace?.('exchange', START, async () => {
    // Deeper down, as where a fetch is instrumented: the record is still of the exchange.
    await trace.getTracer('fetch').startActiveSpan('POST', async (inner) => {
      observer.exchange?.(ISSUED);
      inner.end();
    });
  });
  const { traceId, spanId } = span('exchange token').spanContext();
  expect(records).toMatchObject([{ trace_id: traceId, span_id: spanId }]);
});

test('exchanges at the same time each have the record of their own span', async () => {
  const { observer, records, spans } = await startAudit();
  const ids = ['one', 'two', 'three'];
  await Promise.all(
    ids.map((id) =>
      observer.trace?.('exchange', { ...START, id, clientId: id }, async () => {
        await new Promise((resolve) => setImmediate(resolve));
        observer.exchange?.({ ...ISSUED, id, clientId: id });
      }),
    ),
  );
  const spanIds = new Set(spans().map((span) => span.spanContext().spanId));
  expect(new Set(records.map((record) => record.span_id))).toEqual(spanIds);
  expect(spanIds.size).toBe(3);
});

test('without an SDK a record names no trace', async () => {
  const records: AuditRecord[] = [];
  const { observer } = await createTelemetry({ audit: (record) => void records.push(record) });
  await observer.trace?.('exchange', START, async () => observer.exchange?.(ISSUED));
  expect(records).toMatchObject([{ outcome: 'issued' }]);
  expect(Object.keys(records[0] ?? {})).not.toContain('trace_id');
});

test('the query of a token endpoint is not recorded', async () => {
  const { observer, records } = await startAudit();
  observer.exchange?.({ ...ISSUED, tokenEndpoint: 'https://sts.example.com/token?key=of-somebody' });
  expect(records).toMatchObject([{ sts: 'https://sts.example.com/token' }]);
});

test('a JWT that somebody put into a claim or a setting is blanked, and what is endless is cut', async () => {
  const { observer, records } = await startAudit();
  const jwt = 'eyJhbGciOiJmYWtlIn0.eyJzdWIiOiJmYWtlIn0.ZmFrZS1zaWduYXR1cmU';
  const texts = { sub: `x ${jwt}`, iss: jwt, act: jwt, scope: jwt, clientId: jwt, oauthError: jwt };
  observer.exchange?.({ ...FAILED, ...texts, audiences: [jwt], resources: [jwt], tokenEndpoint: jwt });
  observer.exchange?.({ ...ISSUED, sub: 'x'.repeat(100_000) });
  const [blanked, cut] = records;
  expect(blanked).toMatchObject({ sub: 'x [redacted]', aud: ['[redacted]'], sts: '[redacted]' });
  for (const part of jwt.split('.')) expect(JSON.stringify(blanked)).not.toContain(part);
  expect(cut?.sub?.length).toBeLessThan(1_100);
});

test.each<[string, AuditSink, string]>([
  [
    'throws',
    () => {
      throw new OnbehalfError('capacity_exceeded', 'full', { failure: 'unavailable' });
    },
    'capacity_exceeded',
  ],
  ['rejects', () => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' })), 'ENOSPC'],
  ['rejects with anything', () => Promise.reject('a secret of somebody'), '_OTHER'],
])('a sink that %s is counted, and disturbs nothing', async (_what, audit, type) => {
  const { telemetry, observer, series } = await startTelemetry({ audit });
  const run = async () => {
    observer.exchange?.(ISSUED);
  };
  await observer.trace?.('exchange', START, run);
  observer.exchange?.(FAILED);
  await new Promise((resolve) => setImmediate(resolve));
  expect(telemetry.auditFailures).toBe(2);
  expect(await series('onbehalf.audit.failures')).toEqual([[{ 'error.type': type }, 2]]);
});

test('nobody waits for a sink', async () => {
  const { telemetry, observer } = await startTelemetry({ audit: () => new Promise(() => {}) });
  const run = async () => {
    observer.exchange?.(ISSUED);
  };
  await observer.trace?.('exchange', START, run);
  expect(telemetry.auditFailures).toBe(0);
});
