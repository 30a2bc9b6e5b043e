import type { Attributes, Meter } from '@opentelemetry/api';
import type { ExchangeEvent, LookUpEvent } from '../broker/observer.ts';
import { ATTRIBUTE, boundedNames, OTHER_ERROR, serverAttributes, targetName } from './attributes.ts';
import { createGauges, type Gauges } from './gauges.ts';

/** In seconds. Those of `http.client.request.duration`, and more on top: retries are included. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30];

/** The instruments. */
export interface Metrics extends Gauges {
  exchange(event: ExchangeEvent): void;
  lookUp(event: LookUpEvent): void;
  /** @param type - `error.type` */
  auditFailure(type: string): void;
}

/** @param maxAudiences - most values of `onbehalf.audience` */
export function createMetrics(meter: Meter, maxAudiences: number): Metrics {
  const gauges = createGauges(meter);
  const bounded = boundedNames(maxAudiences);
  const duration = meter.createHistogram('onbehalf.exchange.duration', {
    unit: 's',
    description: 'Duration of token exchanges, retries included.',
    advice: { explicitBucketBoundaries: BUCKETS },
  });
  const lookUps = meter.createCounter('onbehalf.token.lookups', {
    unit: '{lookup}',
    description: 'Requests for a token, by where the answer came from.',
  });
  const auditFailures = meter.createCounter('onbehalf.audit.failures', {
    unit: '{record}',
    description: 'Audit records that the sink did not keep.',
  });

  const audience = (event: LookUpEvent | ExchangeEvent): Attributes => {
    const name = bounded(targetName(event));
    return name === undefined ? {} : { [ATTRIBUTE.audience]: name };
  };

  return {
    ...gauges,
    exchange(event) {
      const { tokenEndpoint, profile, reason, outcome, code, durationMs } = event;
      gauges.sts(tokenEndpoint);
      duration.record(Math.max(0, durationMs) / 1000, {
        ...serverAttributes(tokenEndpoint),
        ...audience(event),
        [ATTRIBUTE.profile]: profile,
        [ATTRIBUTE.reason]: reason,
        [ATTRIBUTE.outcome]: outcome,
        ...(outcome === 'failed' ? { [ATTRIBUTE.errorType]: code ?? OTHER_ERROR } : {}),
      });
    },
    lookUp(event) {
      // Where no broker is watched, nobody says that a store works until it has failed once; a token from it does.
      if (event.result === 'shared') gauges.storeAnswers();
      lookUps.add(1, { [ATTRIBUTE.lookUpResult]: event.result, ...audience(event) });
    },
    auditFailure(type) {
      auditFailures.add(1, { [ATTRIBUTE.errorType]: type });
    },
  };
}
