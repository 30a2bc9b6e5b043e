import fc from 'fast-check';
import { createBroker } from '../../src/broker/broker.ts';
import type { Target } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { type Reply, reply, type Served, serve } from './faults.ts';
import { assertNoLeak, settled } from './leaks.ts';
import { accepted, bounded, refused } from './outcome.ts';
import { type Outcome, type Property, property } from './property.ts';
import type { Asked } from './reference.ts';
import { type AnswerJudgement, judgeAnswer } from './reference-answer.ts';
import { asked, CLIENT_ID, ENDPOINT, NOW, type Party, SUBJECTS, TYPES } from './world.ts';

const RESOURCE = 'https://mcp.example.com/billing';
const ISSUER = 'https://resource-as.example.com';
const SECOND_ENDPOINT = `${ISSUER}/token`;

/** An exchange in two steps: for an ID-JAG, and of that for an access token. */
interface TwoSteps {
  readonly subject: Party;
  readonly scope: string | undefined;
  readonly allowOpaqueIssued: boolean;
  readonly first: Reply;
  readonly second: Reply;
}

const NOTHING: AnswerJudgement = {
  verdict: 'refused',
  why: ['no answer'],
  accessToken: undefined,
  ends: undefined,
};

/** What the two steps ask for: section 4.3 and 4.4 of draft-ietf-oauth-identity-assertion-authz-grant. */
function requests({ subject, scope, allowOpaqueIssued }: TwoSteps): {
  first: Asked;
  second: (idJag: string) => Asked;
} {
  const common = { resource: RESOURCE, ...(scope !== undefined && { scope }) };
  return {
    first: asked({ wish: { ...common, audience: ISSUER, requestedTokenType: TYPES.idJag }, subject }),
    second: (idJag) => ({
      // Another server may know the user by another name; the ID-JAG was checked.
      ...asked({ wish: { ...common, allowOpaqueIssued, unchecked: ['subject', 'actor'] }, subject }),
      sent: [idJag],
      provider: { impliedType: TYPES.accessToken },
    }),
  };
}

/** What was sent where, and what came back. */
interface Log {
  first?: Served;
  second?: Served;
  idJag?: string;
  wrong?: string;
}

/** Two authorization servers in this process. */
function serversOf(given: TwoSteps, log: Log) {
  const { first, second } = requests(given);
  return (url: string, init: RequestInit): Promise<Response> => {
    const body = String(init.body);
    const isFirst = url === ENDPOINT;
    if (init.redirect !== 'manual' || body.includes(given.subject.token) !== isFirst) log.wrong = url;
    if (isFirst) {
      const { response, served } = serve(given.first, first);
      log.first = served;
      return response;
    }
    if (url !== SECOND_ENDPOINT) log.wrong = url;
    log.idJag = new URLSearchParams(body).get('assertion') ?? '';
    const { response, served } = serve(given.second, second(log.idJag));
    log.second = served;
    return response;
  };
}

/** @throws Error when the second server was asked with what the reference refuses of the first */
function judge(given: TwoSteps, log: Log): AnswerJudgement {
  const { first, second } = requests(given);
  const one = log.first ? bounded(judgeAnswer(log.first, first), first) : NOTHING;
  if (log.wrong !== undefined) throw new Error(`another request to ${log.wrong}`);
  // Without a second request it must have been for the first's sake.
  if (log.idJag === undefined) return one;
  if (one.verdict === 'refused') throw new Error(`sent on, although the reference refuses it: ${one.why}`);
  if (log.idJag !== one.accessToken) throw new Error('another token was sent on');
  const two = log.second ? bounded(judgeAnswer(log.second, second(log.idJag)), first) : NOTHING;
  return two.verdict === 'valid' ? { ...two, verdict: one.verdict } : two;
}

async function checkTwoSteps(given: TwoSteps): Promise<Outcome> {
  const log: Log = {};
  const options = {
    clientId: CLIENT_ID,
    retry: { attempts: 1 },
    maxResponseBytes: 100_000,
    fetch: serversOf(given, log),
  };
  const tokenService = createTokenService({ ...options, tokenEndpoint: ENDPOINT });
  const authorizationServer = createTokenService({
    ...options,
    issuer: ISSUER,
    tokenEndpoint: SECOND_ENDPOINT,
  });
  const { scope, allowOpaqueIssued, subject } = given;
  const target: Target = {
    resource: RESOURCE,
    scope,
    profile: 'id-jag',
    authorizationServer,
    allowOpaqueIssued,
  };
  const broker = createBroker({ tokenService, allowOpaqueSubject: true, now: () => NOW });
  try {
    const delegation = broker.begin({ subjectToken: subject.token });
    const outcome = await settled(() => broker.token(delegation, target), [subject.token]);
    const judgement = judge(given, log);
    const { first, second, idJag } = log;
    assertNoLeak(
      [outcome, broker.stats()],
      [subject.token, idJag, first?.token, second?.token, judgement.accessToken],
    );
    return 'error' in outcome
      ? refused(judgement, outcome.error.message)
      : accepted(judgement, outcome.value);
  } finally {
    broker.close();
  }
}

export const twoStepProperties: readonly Property[] = [
  property('of two steps, the second is made only with what the reference accepts of the first', {
    cases: 6_000,
    arbitrary: fc.record({
      subject: fc.constantFrom(...SUBJECTS),
      scope: fc.constantFrom(undefined, 'read', 'read write'),
      allowOpaqueIssued: fc.boolean(),
      first: reply,
      second: reply,
    }),
    outcomes: ['accepted', 'tolerated', 'refused'],
    check: checkTwoSteps,
  }),
];
