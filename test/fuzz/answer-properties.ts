import fc from 'fast-check';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import type { IssuedToken } from '../../src/core/issued-token.ts';
import { resolveTarget } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { securityToken } from '../../src/core/token-types.ts';
import { verifyIssuedToken } from '../../src/core/verify.ts';
import { type AnswerBend, answerBend, bentAnswer, responseOf } from './answers.ts';
import { CLIENT_SECRETS, settled } from './leaks.ts';
import { accepted, refused } from './outcome.ts';
import { type Outcome, type Property, property } from './property.ts';
import { PROVIDERS, type ProviderCase } from './providers.ts';
import type { Answer, Asked } from './reference.ts';
import { judgeAnswer } from './reference-answer.ts';
import {
  ACTORS,
  asked,
  CLIENT_ID,
  CLIENT_SECRET,
  ENDPOINT,
  NOW,
  type Party,
  SUBJECTS,
  type Wish,
  wish,
} from './world.ts';

/** One exchange, and how it is answered. */
interface Exchange {
  readonly wish: Wish;
  readonly subject: Party;
  readonly actor: Party | undefined;
  readonly bend: AnswerBend;
}

const service = { tokenEndpoint: ENDPOINT, clientId: CLIENT_ID, retry: { attempts: 1 } } as const;
const clientAuth = fc.constantFrom<TokenServiceOptions['clientAuth']>(
  { method: 'client_secret_basic', clientSecret: CLIENT_SECRET },
  { method: 'client_secret_post', clientSecret: CLIENT_SECRET },
  undefined,
);

/** Exchanges with the functions that users call one after the other. */
async function exchangeOnce(
  { wish: target, subject, actor }: Omit<Exchange, 'bend'>,
  answer: Answer,
  options: Pick<TokenServiceOptions, 'clientAuth' | 'dialect'>,
): Promise<IssuedToken> {
  const requests: string[] = [];
  const sts = createTokenService({
    ...service,
    ...options,
    fetch: async (url, { method, redirect }) => {
      requests.push(`${method} ${url} ${redirect}`);
      return responseOf(answer);
    },
  });
  const parameters = {
    subject: securityToken(subject.token),
    actor: actor && securityToken(actor.token),
    target: resolveTarget(target),
  };
  const response = await exchangeRequest(sts, parameters);
  if (requests.join() !== `POST ${ENDPOINT} manual`) throw new Error(`it sent ${requests}`);
  const token = await processExchangeResponse(sts, response, parameters);
  const { sub, oid } = subject.claims;
  verifyIssuedToken(token, {
    ...{ service: sts, target: parameters.target, now: NOW },
    subject: { aud: [], sub, oid },
    actor: actor && { sub: actor.claims.sub, iss: actor.claims.iss },
  });
  return token;
}

async function checkExchange(
  exchange: Exchange,
  request: Asked,
  options: Pick<TokenServiceOptions, 'clientAuth' | 'dialect'>,
): Promise<Outcome> {
  const answer = bentAnswer(request, exchange.bend);
  const judgement = judgeAnswer(answer, request);
  const secrets = [...request.sent, ...CLIENT_SECRETS, answer.token, judgement.accessToken];
  const outcome = await settled(() => exchangeOnce(exchange, answer, options), secrets);
  if ('error' in outcome) return refused(judgement, outcome.error.message);
  return accepted(judgement, outcome.value);
}

const anyExchange: fc.Arbitrary<Exchange> = fc.record({
  wish,
  subject: fc.constantFrom(...SUBJECTS),
  actor: fc.constantFrom(...ACTORS),
  bend: answerBend,
});

const providerCase = fc
  .record({
    provider: fc.constantFrom<ProviderCase>(...PROVIDERS),
    subject: fc.constantFrom(...SUBJECTS),
    bend: answerBend,
  })
  .chain((given) => fc.constantFrom(...given.provider.wishes).map((target) => ({ ...given, wish: target })));

export const answerProperties: readonly Property[] = [
  property(
    'an answer of an STS becomes a token that the reference accepts, or an error of ours that tells nothing',
    {
      cases: 30_000,
      arbitrary: fc.record({ exchange: anyExchange, clientAuth }),
      outcomes: ['accepted', 'tolerated', 'refused'],
      check: ({ exchange, clientAuth }) => checkExchange(exchange, asked(exchange), { clientAuth }),
    },
  ),
  property(
    'an answer of a provider that departs from the RFC becomes a token only as the provider documents',
    {
      cases: 12_000,
      arbitrary: providerCase,
      outcomes: ['accepted', 'tolerated', 'refused'],
      check({ provider: { dialect, facts }, ...exchange }) {
        const order = { ...exchange, actor: undefined };
        return checkExchange(order, asked(order, facts), { dialect, clientAuth: undefined });
      },
    },
  ),
];
