import fc from 'fast-check';
import { createBroker } from '../../src/broker/broker.ts';
import type { BrokerObserver } from '../../src/broker/observer.ts';
import type { BrokerOptions } from '../../src/broker/types.ts';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { createClock } from '../support/clock.ts';
import { type Reply, reply, type Served, serve } from './faults.ts';
import { assertNoLeak, CLIENT_SECRETS, settled } from './leaks.ts';
import { accepted, assertKeptUntilEnd, bounded, refused } from './outcome.ts';
import { type Outcome, type Property, property } from './property.ts';
import { type Asked, createNotes, type Judgement } from './reference.ts';
import { type AnswerJudgement, judgeActor, judgeAnswer } from './reference-answer.ts';
import { judgeMayAct } from './reference-token.ts';
import {
  ACTORS,
  asked,
  CLIENT_ID,
  CLIENT_SECRET,
  DELEGATORS,
  ENDPOINT,
  NOW,
  type Party,
  SUBJECTS,
  type Wish,
  wish,
} from './world.ts';

/** A request for a token, and what the STS does about it. */
interface Request {
  readonly wish: Wish;
  readonly subject: Party;
  /** One that is known, or what the STS replies when it is asked for one. */
  readonly actor: Party | Reply | undefined;
  /** To the first try and the second. */
  readonly replies: readonly [Reply, Reply];
  readonly retention: BrokerOptions['retention'];
}

/** What an actor token is asked for, as far as answers are made for that. */
const ACTOR_WISH = { wish: { scope: 'act' }, subject: { token: 'none', claims: { sub: 'agent-1' } } };

const isReply = (actor: Request['actor']): actor is Reply => actor !== undefined && !('token' in actor);

/** An STS in this process that replies as it is told, and remembers what it served last. */
function createSts({ wish: target, subject, actor, replies }: Request) {
  const served: { actor?: Served; token?: Served; asked?: Asked; tries: number } = { tries: 0 };
  const given = isReply(actor) ? actor : undefined;
  const service = createTokenService({
    tokenEndpoint: ENDPOINT,
    clientId: CLIENT_ID,
    clientAuth: { method: 'client_secret_basic', clientSecret: CLIENT_SECRET },
    // No wait is longer than none, so that cases are fast: with any Retry-After there is no second try.
    retry: { attempts: 2, backoffMs: 0, maxWaitMs: 0 },
    maxResponseBytes: 100_000,
    fetch: (url, { redirect, body }) => {
      if (url !== ENDPOINT || redirect !== 'manual') throw new Error(`a request to ${url}`);
      const form = body as URLSearchParams;
      if (form.get('grant_type') === 'client_credentials' && given) {
        const one = serve(given, asked(ACTOR_WISH));
        served.actor = one.served;
        return one.response;
      }
      const token = form.get('actor_token');
      const claims = served.actor
        ? judgeActor(served.actor, NOW).claims
        : isReply(actor)
          ? {}
          : actor?.claims;
      const sent = token === null || claims === undefined ? undefined : { token, claims };
      served.asked = asked({ wish: target, subject, actor: sent });
      const one = serve(replies[Math.min(served.tries, 1)] as Reply, served.asked);
      served.tries += 1;
      served.token = one.served;
      return one.response;
    },
  });
  return { service, served };
}

/** The reference's judgement of whom the exchange is made for, before it is made. */
function judgeParties(
  { served }: ReturnType<typeof createSts>,
  { wish: target, subject, actor }: Request,
): Judgement {
  if (!isReply(actor)) {
    const notes = createNotes();
    judgeMayAct(asked({ wish: target, subject, actor }), notes);
    return notes.judgement();
  }
  if (!served.actor) return { verdict: 'refused', why: ['no actor'] };
  const judged = judgeActor(served.actor, NOW);
  if (judged.verdict === 'refused') return judged;
  const notes = createNotes();
  const { accessToken: token = '', claims } = judged;
  judgeMayAct(asked({ wish: target, subject, actor: { token, claims } }), notes);
  const may = notes.judgement();
  return may.verdict === 'valid' ? judged : may;
}

/** The reference's judgement of all that was served for one token. */
function judge(sts: ReturnType<typeof createSts>, request: Request): AnswerJudgement {
  const { served } = sts;
  const parties = judgeParties(sts, request);
  const none = { ...parties, accessToken: undefined, ends: undefined };
  // Whatever was wrong with them, nothing is sent; and something is, when nothing was.
  if (served.tries === 0) return none;
  if (parties.verdict === 'refused')
    throw new Error(`asked, although the reference refuses it: ${parties.why}`);
  if (!served.token || !served.asked) return { ...none, verdict: 'refused', why: ['no answer'] };
  const judged = bounded(judgeAnswer(served.token, served.asked), served.asked);
  // What is nearly a JWT may be read as an actor of that name, or of none.
  return judged.verdict === 'valid' ? { ...judged, verdict: parties.verdict } : judged;
}

async function checkRequest(request: Request): Promise<Outcome> {
  const sts = createSts(request);
  const { subject, actor, retention } = request;
  const events: unknown[] = [];
  const note = (event: unknown): void => void events.push(event);
  const observer: BrokerObserver = { exchange: note, lookUp: note, breaker: note };
  const clock = createClock(NOW);
  const known = isReply(actor) ? undefined : actor?.token;
  const broker = createBroker({
    ...{ tokenService: sts.service, retention, observer, now: clock.now, allowOpaqueSubject: true },
    actor: isReply(actor)
      ? clientCredentialsActor(sts.service)
      : known === undefined
        ? undefined
        : () => known,
  });
  try {
    const delegation = broker.begin({ subjectToken: subject.token });
    const outcome = await settled(
      () => broker.token(delegation, request.wish),
      [subject.token, known, ...CLIENT_SECRETS],
    );
    const judgement = judge(sts, request);
    const secrets = [
      subject.token,
      known,
      ...CLIENT_SECRETS,
      judgement.accessToken,
      sts.served.token?.token,
      sts.served.actor?.token,
    ];
    assertNoLeak([outcome, events, broker.stats(), delegation, sts.service, broker], secrets);
    if ('error' in outcome) return refused(judgement, outcome.error.message);
    const verdict = accepted(judgement, outcome.value);
    const { ends = NOW } = judgement;
    assertKeptUntilEnd({ broker, delegation, wish: request.wish, token: outcome.value, ends, clock });
    return verdict;
  } finally {
    broker.close();
  }
}

const request: fc.Arbitrary<Request> = fc.record({
  wish,
  subject: fc.constantFrom(...SUBJECTS, ...SUBJECTS, ...DELEGATORS),
  actor: fc.oneof(fc.constantFrom(...ACTORS), reply),
  replies: fc.tuple(reply, reply),
  retention: fc.constantFrom('run', 'subject'),
});

export const brokerProperties: readonly Property[] = [
  property(
    'the broker gives out only what the reference accepts, not beyond its end, and tells nobody a token',
    {
      cases: 10_000,
      arbitrary: request,
      outcomes: ['accepted', 'tolerated', 'refused'],
      check: checkRequest,
    },
  ),
];
