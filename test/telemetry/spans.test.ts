import { type Context, context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { SpanProcessor } from '@opentelemetry/sdk-trace-node';
import { expect, test } from 'vitest';
import { OnbehalfError } from '../../src/core/errors.ts';
import { createTelemetry } from '../../src/telemetry/index.ts';
import { thrownBy } from '../support/failure.ts';
import { deferred, START, startSdk, startTelemetry } from './support.ts';

const EXCHANGE = 'exchange token';
const JOIN = 'await token exchange';

const STARTED = {
  'server.address': 'sts.example.com',
  'server.port': 443,
  'onbehalf.audience': 'calendar',
  'onbehalf.profile': 'rfc8693',
  'onbehalf.exchange.reason': 'demand',
};

/** Runs `work` inside a span of the caller's, and gives that span's context. */
async function asCaller(work: () => Promise<unknown>) {
  return trace.getTracer('caller').startActiveSpan('handle request', async (span) => {
    await work().catch(() => {});
    span.end();
    return span.spanContext();
  });
}

test("an exchange is a client span in the caller's trace, and what is requested in it is its child", async () => {
  const { observer, span } = await startTelemetry();
  const caller = await asCaller(async () => {
    await observer.trace?.('exchange', START, async () => {
      await Promise.resolve();
      trace.getTracer('fetch').startSpan('POST').end();
    });
  });
  const exchange = span(EXCHANGE);
  expect(exchange.kind).toBe(SpanKind.CLIENT);
  expect(exchange.parentSpanContext?.spanId).toBe(caller.spanId);
  expect(exchange.spanContext().traceId).toBe(caller.traceId);
  expect(span('POST').parentSpanContext?.spanId).toBe(exchange.spanContext().spanId);
  expect(exchange.attributes).toEqual({ ...STARTED, 'onbehalf.exchange.outcome': 'issued' });
  expect(exchange.status).toEqual({ code: SpanStatusCode.UNSET });
  expect(exchange.instrumentationScope).toMatchObject({ name: 'onbehalf' });
});

test('the span of an exchange has ended when its caller hears of the outcome', async () => {
  const { observer, spans } = await startTelemetry();
  await observer.trace?.('exchange', START, async () => {});
  expect(spans()).toHaveLength(1);
});

test('a failed exchange is an error with its code, its message, and what the STS answered', async () => {
  const { observer, span } = await startTelemetry();
  const error = new OnbehalfError('sts_error', 'the STS answered with status 400 (invalid_target)', {
    failure: 'denied',
    status: 400,
    oauthError: 'invalid_target',
  });
  const run = async () => {
    throw error;
  };
  expect(await thrownBy(() => observer.trace?.('exchange', START, run))).toBe(error);
  const { status, attributes, events } = span(EXCHANGE);
  expect(status).toEqual({ code: SpanStatusCode.ERROR, message: error.message });
  expect(attributes).toEqual({
    ...STARTED,
    'onbehalf.exchange.outcome': 'failed',
    'error.type': 'sts_error',
    'http.response.status_code': 400,
    'onbehalf.exchange.oauth_error': 'invalid_target',
  });
  expect(events).toEqual([]);
});

test('an exchange that was given up is no error, and the reason of the signal shows nowhere', async () => {
  const { observer, span } = await startTelemetry();
  const reason = new Error('the reason, which may hold anything');
  const run = () => Promise.reject(reason);
  expect(await thrownBy(() => observer.trace?.('exchange', START, run))).toBe(reason);
  const { status, attributes } = span(EXCHANGE);
  expect(status).toEqual({ code: SpanStatusCode.UNSET });
  expect(attributes).toEqual({ ...STARTED, 'onbehalf.exchange.outcome': 'aborted' });
});

test('what a run throws at once ends its span, too', async () => {
  const { observer, spans } = await startTelemetry();
  const error = new Error('at once');
  const run = (): Promise<never> => {
    throw error;
  };
  expect(await thrownBy(async () => observer.trace?.('exchange', START, run))).toBe(error);
  expect(spans()).toHaveLength(1);
});

test('a refresh is a trace of its own, linked to the one that set it off', async () => {
  const { observer, span } = await startTelemetry();
  const caller = await asCaller(async () => {
    await observer.trace?.('exchange', { ...START, reason: 'refresh' }, async () => {
      trace.getTracer('fetch').startSpan('POST').end();
    });
  });
  const refresh = span(EXCHANGE);
  expect(refresh.parentSpanContext).toBeUndefined();
  expect(refresh.spanContext().traceId).not.toBe(caller.traceId);
  expect(refresh.links.map((link) => link.context)).toEqual([caller]);
  expect(span('POST').parentSpanContext?.spanId).toBe(refresh.spanContext().spanId);
});

test('a refresh that nobody set off has no link', async () => {
  const { observer, span } = await startTelemetry();
  await observer.trace?.('exchange', { ...START, reason: 'refresh' }, async () => {});
  expect(span(EXCHANGE).links).toEqual([]);
});

test("who joins an exchange has a span in a trace of their own, linked to the exchange's", async () => {
  const { observer, span } = await startTelemetry();
  const issued = deferred();
  const first = asCaller(async () => observer.trace?.('exchange', START, () => issued.promise));
  const second = asCaller(async () => observer.trace?.('join', START, () => issued.promise));
  issued.resolve();
  const [one, other] = [await first, await second];
  const join = span(JOIN);
  const exchange = span(EXCHANGE);
  expect(join.kind).toBe(SpanKind.INTERNAL);
  expect(join.parentSpanContext?.spanId).toBe(other.spanId);
  expect(exchange.spanContext().traceId).toBe(one.traceId);
  expect(join.links.map((link) => link.context)).toEqual([exchange.spanContext()]);
  expect(join.attributes).toEqual({ ...STARTED, 'onbehalf.exchange.outcome': 'issued' });
});

test('when somebody who joined gives up, those who come after are still linked to the exchange', async () => {
  const { observer, spans } = await startTelemetry();
  const issued = deferred();
  const exchange = observer.trace?.('exchange', START, () => issued.promise);
  await thrownBy(() => observer.trace?.('join', START, () => Promise.reject(new Error('gone'))));
  const second = observer.trace?.('join', START, () => issued.promise);
  issued.resolve();
  await Promise.all([exchange, second]);
  const joins = spans().filter(({ name }) => name === JOIN);
  expect(joins.map(({ links }) => links.length)).toEqual([1, 1]);
});

test('who joins an exchange that is over, or another, is linked to nothing', async () => {
  const { observer, spans } = await startTelemetry();
  await observer.trace?.('exchange', START, async () => {});
  const other = observer.trace?.('exchange', { ...START, id: 'exchange-2' }, async () => {
    await observer.trace?.('join', START, async () => {});
  });
  await other;
  expect(spans().find(({ name }) => name === JOIN)?.links).toEqual([]);
});

test('exchanges under way are remembered up to a bound: the oldest is forgotten first', async () => {
  const { observer, span } = await startTelemetry();
  const over = deferred();
  const all = Array.from({ length: 10_001 }, (_, i) =>
    observer.trace?.('exchange', { ...START, id: `exchange-${i}` }, () => over.promise),
  );
  await observer.trace?.('join', { ...START, id: 'exchange-0' }, async () => {});
  expect(span(JOIN).links).toEqual([]);
  over.resolve();
  await Promise.all(all);
});

test('without an SDK the run just runs', async () => {
  const { observer } = await createTelemetry();
  const ran: string[] = [];
  for (const kind of ['exchange', 'join'] as const) {
    await observer.trace?.(kind, START, async () => void ran.push(kind));
  }
  expect(ran).toEqual(['exchange', 'join']);
});

test.each(['onStart', 'onEnd'] as const)(
  'a span processor that throws in %s changes nothing for the exchange',
  async (method) => {
    const broken: SpanProcessor = {
      onStart: (_span: unknown, _parent: Context) => {},
      onEnd: () => {},
      forceFlush: async () => {},
      shutdown: async () => {},
      [method]: () => {
        throw new Error('a broken processor');
      },
    };
    const { tracerProvider } = startSdk(broken);
    const { observer } = await createTelemetry({ tracerProvider });
    let runs = 0;
    const run = async () => {
      runs += 1;
    };
    await observer.trace?.('exchange', START, run);
    expect(runs).toBe(1);
    const error = new OnbehalfError('sts_timeout', 'too late', { failure: 'unavailable' });
    expect(await thrownBy(() => observer.trace?.('exchange', START, () => Promise.reject(error)))).toBe(
      error,
    );
  },
);

test('what the caller keeps in its context is there in the run, also in that of a refresh', async () => {
  const { observer } = await startTelemetry();
  const key = Symbol('tenant');
  await context.with(context.active().setValue(key, 'acme'), async () => {
    for (const reason of ['demand', 'refresh'] as const) {
      let seen: unknown;
      await observer.trace?.('exchange', { ...START, reason }, async () => {
        seen = context.active().getValue(key);
      });
      expect(seen).toBe('acme');
    }
  });
});
