import fc from 'fast-check';
import { createBroker } from '../../src/broker/broker.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { createClock } from '../support/clock.ts';
import { bentAnswer, RIGHT, responseOf } from './answers.ts';
import type { Change } from './json-text.ts';
import { assertNoLeak } from './leaks.ts';
import { accepted, assertKeptUntilEnd } from './outcome.ts';
import { type Outcome, type Property, property } from './property.ts';
import { judgeStored } from './reference-stored.ts';
import { type StoreBend, storeBend, storedValue, storeOf } from './stores.ts';
import { ACTORS, asked, CLIENT_ID, ENDPOINT, NOW, type Party, SUBJECTS, type Wish, wish } from './world.ts';

/** A request for a token, what is stored for it, and what happens to the token then. */
interface Request {
  readonly wish: Wish;
  readonly subject: Party;
  readonly actor: Party | undefined;
  readonly store: StoreBend;
  readonly later: 'time passes' | 'a server rejects it';
}

/** A broker with a store, at an STS that always answers as it should, each time with another token. */
function createWorld(request: Request) {
  const order = asked(request);
  const value = storedValue(request.store, order);
  const issued: string[] = [];
  const tokenService = createTokenService({
    tokenEndpoint: ENDPOINT,
    clientId: CLIENT_ID,
    async fetch() {
      const marked: Change = { how: 'set', name: 'jti', value: `"issued ${issued.length}"` };
      const answer = bentAnswer(order, { ...RIGHT, token: { ...RIGHT.token, claims: [marked] } });
      issued.push(answer.token);
      return responseOf(answer);
    },
  });
  const events: unknown[] = [];
  const note = (event: unknown): void => void events.push(event);
  const clock = createClock(NOW);
  const { actor, subject, store } = request;
  const broker = createBroker({
    ...{ tokenService, retention: 'subject', allowOpaqueSubject: true, now: clock.now },
    ...{
      store: storeOf(store, value),
      storeTimeoutMs: 20,
      observer: { exchange: note, lookUp: note, store: note },
    },
    actor: actor && (() => actor.token),
  });
  const delegation = broker.begin({ subjectToken: subject.token });
  return {
    broker,
    delegation,
    clock,
    events,
    issued,
    judgement: judgeStored(value, order),
    sent: order.sent,
  };
}

async function checkStored(request: Request): Promise<Outcome> {
  const { broker, delegation, clock, events, issued, judgement, sent } = createWorld(request);
  const { wish: target, store } = request;
  try {
    const token = await broker.token(delegation, target);
    assertNoLeak([events, broker.stats()], [...sent, token.accessToken, judgement.accessToken]);
    const isGiven = store.get === 'right' || store.get === 'no promise';
    if (token.accessToken === issued[0]) {
      if (isGiven && judgement.verdict === 'valid')
        throw new Error('exchanged, although the reference accepts what is stored');
      return 'exchanged';
    }
    if (!isGiven) throw new Error('it comes from nowhere');
    const outcome = accepted(judgement, token);
    if (request.later === 'time passes') {
      assertKeptUntilEnd({ broker, delegation, wish: target, token, ends: judgement.ends, clock });
      return outcome;
    }
    broker.reject(delegation, target, token.accessToken);
    const next = await broker.token(delegation, target);
    if (next.accessToken !== issued[0]) throw new Error('what was rejected was taken from the store again');
    return outcome;
  } finally {
    broker.close();
  }
}

export const storedProperties: readonly Property[] = [
  property(
    'of what a shared store gives, only that is taken which the reference accepts; for the rest, there is an exchange',
    {
      cases: 10_000,
      arbitrary: fc.record({
        wish,
        subject: fc.constantFrom(...SUBJECTS),
        actor: fc.constantFrom(...ACTORS),
        store: storeBend,
        later: fc.constantFrom('time passes', 'a server rejects it'),
      }),
      outcomes: ['accepted', 'tolerated', 'exchanged'],
      check: checkStored,
    },
  ),
];
