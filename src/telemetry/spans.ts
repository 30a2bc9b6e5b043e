import type { Attributes, Span, SpanContext, Tracer } from '@opentelemetry/api';
import type { BrokerObserver, ExchangeStart } from '../broker/observer.ts';
import { makeRoom } from '../core/bounded.ts';
import { isOnbehalfError } from '../core/errors.ts';
import { ATTRIBUTE, failureAttributes, serverAttributes, targetName } from './attributes.ts';
import { quietly } from './quietly.ts';

/** The package, as it is loaded. */
export type Api = typeof import('@opentelemetry/api');

const MAX_UNDER_WAY = 10_000;

/** Spans of exchanges and of those who wait for them. */
export interface Spans {
  /** See `BrokerObserver`. */
  readonly trace: NonNullable<BrokerObserver['trace']>;
  /** The span of an exchange, while it is under way. */
  contextOf(id: string): SpanContext | undefined;
}

export function createSpans(api: Api, tracer: Tracer): Spans {
  const underWay = new Map<string, Span>();
  const { context, SpanKind, trace } = api;

  const valid = (span: Span | undefined): SpanContext | undefined => {
    const found = span?.spanContext();
    return found && api.isSpanContextValid(found) ? found : undefined;
  };
  const contextOf = (id: string): SpanContext | undefined => valid(underWay.get(id) ?? trace.getActiveSpan());

  const startExchange = (about: ExchangeStart): Span => {
    // Nobody waits for a refresh: it is no part of the trace that happened to set it off, only linked to it.
    const root = about.reason === 'refresh';
    const active = root ? valid(trace.getActiveSpan()) : undefined;
    const links = active ? [{ context: active }] : [];
    const span = tracer.startSpan('exchange token', {
      kind: SpanKind.CLIENT,
      attributes: startAttributes(about),
      root,
      links,
    });
    makeRoom(underWay, MAX_UNDER_WAY);
    underWay.set(about.id, span);
    return span;
  };

  const startJoin = (about: ExchangeStart): Span => {
    const exchange = valid(underWay.get(about.id));
    const links = exchange ? [{ context: exchange }] : [];
    const attributes = startAttributes(about);
    return tracer.startSpan('await token exchange', { kind: SpanKind.INTERNAL, attributes, links });
  };

  const end = (span: Span, settle: () => void): void => {
    quietly(settle);
    quietly(() => span.end());
  };

  return {
    contextOf,
    trace(kind, about, run) {
      const span = quietly(() => (kind === 'exchange' ? startExchange(about) : startJoin(about)));
      if (span === undefined) return run();
      const forget = (): void => {
        if (underWay.get(about.id) === span) underWay.delete(about.id);
      };
      // As an async function, so that what it throws at once ends the span, too.
      const outcome = context.with(trace.setSpan(context.active(), span), async () => run());
      outcome.then(
        () => {
          forget();
          end(span, () => span.setAttribute(ATTRIBUTE.outcome, 'issued'));
        },
        (error: unknown) => {
          forget();
          end(span, () => describeFailure(api, span, error));
        },
      );
      return outcome;
    },
  };
}

function startAttributes(about: ExchangeStart): Attributes {
  const audience = targetName(about);
  return {
    ...serverAttributes(about.tokenEndpoint),
    ...(audience === undefined ? {} : { [ATTRIBUTE.audience]: audience }),
    [ATTRIBUTE.profile]: about.profile,
    [ATTRIBUTE.reason]: about.reason,
  };
}

/** The broker throws its own errors, whose messages are safe to show, or the reason of a signal, which may hold anything. */
function describeFailure(api: Api, span: Span, error: unknown): void {
  if (!isOnbehalfError(error)) {
    span.setAttribute(ATTRIBUTE.outcome, 'aborted');
    return;
  }
  span.setAttribute(ATTRIBUTE.outcome, 'failed');
  span.setAttributes(failureAttributes(error));
  span.setStatus({ code: api.SpanStatusCode.ERROR, message: error.message });
}
