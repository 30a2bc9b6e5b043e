import fc from 'fast-check';
import { createBroker } from '../../src/broker/broker.ts';
import { bearerToken } from '../../src/core/bearer.ts';
import { exchangeRequest } from '../../src/core/exchange.ts';
import { retryAfterMs } from '../../src/core/retry-after.ts';
import { resolveTarget, type Target } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { securityToken } from '../../src/core/token-types.ts';
import { answerOf, RIGHT, responseOf } from './answers.ts';
import { authorization, retryAfter, subjectToken, targetLike } from './inputs.ts';
import { assertNoLeak, settled } from './leaks.ts';
import { assertMisuse } from './misuse.ts';
import { refused } from './outcome.ts';
import { type Outcome, type Property, property } from './property.ts';
import { judgeAuthorization, judgeRetryAfter, judgeSubject, judgeTarget } from './reference-inputs.ts';
import { CLIENT_ID, ENDPOINT, NOW, type Party, SUBJECTS } from './world.ts';

const { token: SUBJECT_TOKEN } = SUBJECTS[0] as Party;
const service = createTokenService({ tokenEndpoint: ENDPOINT, clientId: CLIENT_ID });

/** Sends what a target stands for, and tells what a server reads. */
async function sentFor(target: unknown): Promise<readonly (readonly [string, string])[]> {
  let body = '';
  const sts = createTokenService({
    tokenEndpoint: ENDPOINT,
    clientId: CLIENT_ID,
    async fetch(_url, init) {
      body = String(init.body);
      return responseOf(answerOf('{}', RIGHT));
    },
  });
  await exchangeRequest(sts, {
    subject: securityToken(SUBJECT_TOKEN),
    target: resolveTarget(target as Target),
  });
  const others = ['grant_type', 'client_id', 'subject_token', 'subject_token_type'];
  return [...new URLSearchParams(body)].filter(([name]) => !others.includes(name));
}

async function checkTarget(target: unknown): Promise<Outcome> {
  const judgement = judgeTarget(target);
  try {
    resolveTarget(target as Target);
  } catch (error) {
    assertMisuse(error);
    return refused(judgement, String(error));
  }
  if (isObo(target)) return 'another profile';
  if (judgement.verdict === 'refused')
    throw new Error(`accepted, although the reference refuses it: ${judgement.why}`);
  const sent = await sentFor(target);
  if (JSON.stringify(sent) !== JSON.stringify(judgement.value)) {
    throw new Error(`sent ${JSON.stringify(sent)} for ${JSON.stringify(judgement.value)}`);
  }
  return 'sent';
}

const isObo = (target: unknown): boolean => Object(target).profile === 'entra-obo';

interface Begin {
  readonly token: unknown;
  readonly type: string | undefined;
  readonly session: string | undefined;
  readonly allowOpaqueSubject: boolean;
}

async function checkBegin({ token, type, session, allowOpaqueSubject }: Begin): Promise<Outcome> {
  const broker = createBroker({ tokenService: service, allowOpaqueSubject, now: () => NOW });
  const begin = () => broker.begin({ subjectToken: token as string, subjectTokenType: type, session });
  try {
    if (typeof token !== 'string' && token !== undefined) {
      // It is not what the types allow, so any TypeError will do; but it must be one.
      try {
        begin();
      } catch (error) {
        if (!(error instanceof TypeError)) await settled(begin, []);
        return 'misuse';
      }
      throw new Error('accepted, although it is no text');
    }
    const judgement = judgeSubject(token ?? '', allowOpaqueSubject, NOW);
    const outcome = await settled(begin, [token]);
    if ('error' in outcome) return refused(judgement, outcome.error.message);
    if (judgement.verdict === 'refused')
      throw new Error(`accepted, although the reference refuses it: ${judgement.why}`);
    const { subject } = outcome.value;
    assertNoLeak([outcome.value, broker.stats()], [token]);
    const { sub, expiresAt } = judgement.value ?? {};
    const isSame = subject.sub === sub && subject.expiresAt === expiresAt;
    if (!isSame && judgement.verdict === 'valid') throw new Error('it was read as another');
    return 'begun';
  } finally {
    broker.close();
  }
}

async function checkAuthorization(field: string): Promise<Outcome> {
  const judgement = judgeAuthorization(field);
  const outcome = await settled(() => bearerToken(field), field.split(/\s+/));
  if ('error' in outcome) return refused(judgement, outcome.error.message);
  if (outcome.value !== judgement.value) throw new Error(`read as ${JSON.stringify(outcome.value)}`);
  return 'read';
}

function checkRetryAfter(field: string): Outcome {
  const headers = new Headers();
  try {
    headers.set('retry-after', field);
  } catch {
    return 'no field';
  }
  const now = Date.now();
  const read = retryAfterMs(headers);
  const { verdict, value } = judgeRetryAfter(headers.get('retry-after') ?? '', now);
  if (read !== undefined && !(Number.isFinite(read) && read >= 0)) throw new Error(`read as ${read}`);
  if (verdict === 'valid' && !(Math.abs((read ?? Number.NaN) - (value ?? Number.NaN)) < 6_000)) {
    throw new Error(`read as ${read}, not ${value}`);
  }
  return read === undefined ? 'not understood' : 'read';
}

export const inputProperties: readonly Property[] = [
  property('a target is sent as it is written, or refused by a TypeError that says why', {
    cases: 6_000,
    arbitrary: targetLike,
    outcomes: ['sent', 'refused'],
    check: checkTarget,
  }),
  property('a run begins for a subject token that the reference accepts, and for no other', {
    cases: 6_000,
    arbitrary: fc.record({
      token: subjectToken,
      type: fc.option(fc.string({ unit: 'binary', minLength: 1 }), { nil: undefined }),
      session: fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
      allowOpaqueSubject: fc.boolean(),
    }),
    outcomes: ['begun', 'refused', 'misuse'],
    check: checkBegin,
  }),
  property('of an Authorization header field the one token is read, or nothing', {
    cases: 6_000,
    arbitrary: authorization,
    outcomes: ['read', 'refused'],
    check: checkAuthorization,
  }),
  property('Retry-After is a time from now on, or nothing', {
    cases: 6_000,
    arbitrary: retryAfter,
    outcomes: ['read', 'not understood'],
    check: checkRetryAfter,
  }),
];
