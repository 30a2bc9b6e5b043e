import { createBroker } from '../../src/broker/broker.ts';
import type { ExchangeEvent } from '../../src/broker/observer.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import { closedAtEnd } from '../support/broker.ts';
import { createClock } from '../support/clock.ts';
import { seconds } from '../support/jwt.ts';
import { subjectJwt } from '../support/sts.ts';
import { createStsDouble, type StsDoubleOptions, WHOLE } from './support.ts';

export const SECOND = 1_000;
export const LIFETIME = 300_000;
/** Less the margin. */
export const USABLE = 290_000;

export function startRefreshing(options: Partial<BrokerOptions> = {}, double: StsDoubleOptions = {}) {
  const clock = createClock(WHOLE);
  const events: ExchangeEvent[] = [];
  const sts = createStsDouble({ now: clock.now, lifetimeMs: LIFETIME, ...double });
  const broker = closedAtEnd(
    createBroker({
      tokenService: sts.service,
      now: clock.now,
      maxRunMs: 1e9,
      observer: { exchange: (event) => void events.push(event) },
      ...options,
    }),
  );
  const begin = (session?: string, expiresIn = 1e6) => {
    const exp = seconds(clock.now()) + expiresIn;
    return broker.begin({ subjectToken: subjectJwt('alice', { exp }), session });
  };
  return { clock, sts, broker, events, begin };
}
