import fc from 'fast-check';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import { resolveTarget } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { securityToken } from '../../src/core/token-types.ts';
import { answerBend, answerOf, responseOf, type Wrapping } from './answers.ts';
import { CLIENT_SECRETS, settled } from './leaks.ts';
import { type Outcome, type Property, property } from './property.ts';
import { PROVIDERS } from './providers.ts';
import { CLIENT_ID, CLIENT_SECRET, ENDPOINT, jwtOf } from './world.ts';

/** Neither looks like a token, so it is taken out only by who knows it. */
const subject = 'a:fake:subject:token:in:parts';
const actor = 'a:fake:actor:token:"in"<parts>';
const ASSERTION = jwtOf({ iss: 'agent', sub: 'agent', jti: 'an assertion of the agent' });

/** How the client authenticates, and what the STS learns by that. */
const CLIENT_AUTHS: readonly (readonly [TokenServiceOptions['clientAuth'], readonly string[]])[] = [
  [undefined, []],
  [{ method: 'client_secret_basic', clientSecret: CLIENT_SECRET }, CLIENT_SECRETS],
  [{ method: 'client_secret_post', clientSecret: () => CLIENT_SECRET }, CLIENT_SECRETS.slice(0, 3)],
  [{ method: 'client_assertion', assertion: ASSERTION }, [ASSERTION]],
];
const ALL_SECRETS = [subject, actor, ASSERTION, ...CLIENT_SECRETS];

const SPELLINGS: readonly ((secret: string) => string)[] = [
  (secret) => secret,
  (secret) => encodeURIComponent(secret),
  (secret) => new URLSearchParams([['', secret]]).toString().slice(1),
  // What is shown has no control characters; without them it may be a secret again.
  (secret) => secret.replaceAll(' ', '\n'),
  (secret) => secret.replaceAll(' ', '\u0000\u001b\u2028'),
  (secret) => `\u0007${secret}\u009b`,
  (secret) => secret + secret,
  (secret) => JSON.stringify({ a: secret }),
  (secret) => encodeURIComponent(encodeURIComponent(secret)).toLowerCase(),
  (secret) => secret.toUpperCase(),
  (secret) => secret.replace(/[^a-z]/g, (one) => `&#${one.charCodeAt(0)};`),
  (secret) => secret.replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('&', '&amp;'),
  (secret) => secret.replace(/[^a-z]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`),
  (secret) => [...secret].join('\u200b'),
];

/** What a reader may make of a text: escapes undone, what cannot be seen left out, upper and lower case the same. */
function readable(text: string): string {
  let read = text;
  for (let times = 0; times < 3; times += 1) {
    read = read
      .replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
      .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
      .replace(/\\u([0-9a-f]{4})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
      .replaceAll('&quot;', '"')
      .replaceAll('&lt;', '<')
      .replaceAll('&amp;', '&');
  }
  return read.replace(/\p{Cf}/gu, '').toLowerCase();
}

const NOISE = [
  ...[
    '',
    ' ',
    'invalid_grant',
    'the token is ',
    '"',
    '\\',
    '\n',
    '\u0000',
    '\u001b[31m',
    '\u2028',
    '\u202e',
    '{',
    '<b>',
    '%',
    '&',
    '=',
  ],
  ...[
    '.',
    'x.y.z',
    'eyJ',
    'Bearer ',
    'a'.repeat(190),
    'a '.repeat(95),
    ' - '.repeat(60),
    '\ud800',
    '[redacted]',
  ],
];
/** @param between - what keeps the parts apart */
const saidWith = (between: string): fc.Arbitrary<string> =>
  fc
    .array(
      fc.oneof(
        fc.constantFrom(...NOISE),
        fc
          .tuple(fc.constantFrom(...ALL_SECRETS), fc.constantFrom(...SPELLINGS))
          .map(([secret, spell]) => spell(secret)),
        fc.string({ unit: 'binary', maxLength: 10 }),
      ),
      { maxLength: 6 },
    )
    .map((parts) => parts.join(between));

const CODES = [
  'invalid_grant',
  'invalid_request',
  'invalid_client',
  'invalid_target',
  'interaction_required',
  'constructor',
  '__proto__',
  'invalid_scope',
];
/** The document of an error answer, and how it comes. */
interface ErrorAnswer {
  readonly document: unknown;
  readonly wrapping: Wrapping;
}

const errorAnswerWith = (said: fc.Arbitrary<string>): fc.Arbitrary<ErrorAnswer> => {
  const claims = fc.oneof(
    said,
    said.map((text) => JSON.stringify({ access_token: { [text]: { values: [text] } } })),
    fc.json(),
  );
  const page = said.map((text) => `https://sts.example.com/consent/${text}`);
  const document = fc.record(
    {
      error: fc.oneof(fc.constantFrom(...CODES), said, fc.jsonValue({ maxDepth: 1 })),
      error_description: fc.oneof({ arbitrary: said, weight: 4 }, fc.jsonValue({ maxDepth: 1 })),
      error_uri: fc.oneof(said, page),
      claims: fc.oneof({ arbitrary: claims, weight: 4 }, fc.jsonValue({ maxDepth: 2 })),
      suberror: fc.oneof(fc.constantFrom('consent_required', 'basic_action', 'toString'), said),
      error_codes: fc.oneof(
        fc.constantFrom([65001], ['65001'], 5, [null], {}),
        fc.jsonValue({ maxDepth: 1 }),
      ),
    },
    { requiredKeys: [] },
  );
  return fc.record({
    document: fc.oneof({ arbitrary: document, weight: 12 }, said, fc.jsonValue()),
    wrapping: answerBend.map(({ body, contentType, headers, status }) => ({
      ...{ contentType, headers, body },
      status: status === 200 ? 400 : status,
    })),
  });
};

/** Parts side by side may be read as an escape of something else; those kept apart may not. */
const errorAnswer: fc.Arbitrary<{ readonly answer: ErrorAnswer; readonly isApart: boolean }> = fc
  .boolean()
  .chain((isApart) => errorAnswerWith(saidWith(isApart ? ' ; ' : '')).map((answer) => ({ answer, isApart })));

async function checkError(given: {
  readonly answer: ErrorAnswer;
  readonly isApart: boolean;
  readonly options: Pick<TokenServiceOptions, 'clientAuth' | 'dialect'>;
  /** What the STS was told. */
  readonly secrets: readonly string[];
}): Promise<Outcome> {
  const { answer, isApart, options, secrets } = given;
  const service = createTokenService({
    ...{ tokenEndpoint: ENDPOINT, clientId: CLIENT_ID, retry: { attempts: 1 } },
    ...options,
    fetch: async () => responseOf(answerOf(JSON.stringify(answer.document), answer.wrapping)),
  });
  const { dialect } = options;
  // No provider takes all of it, so none but those of the RFC are sent an actor.
  const target = resolveTarget(dialect?.profile ? { audience: 'calendar', scope: 'a/.default' } : 'calendar');
  const parameters = {
    subject: securityToken(subject),
    actor: dialect ? undefined : securityToken(actor),
    target,
  };
  const outcome = await settled(async () => {
    const response = await exchangeRequest(service, parameters);
    return processExchangeResponse(service, response, parameters);
  }, secrets);
  if (!('error' in outcome)) throw new Error('an error answer became a token');
  const { code, oauthError, claimsChallenge, errorUri, message } = outcome.error;
  const read = readable(`${message} ${oauthError} ${claimsChallenge} ${errorUri}`);
  const shown = isApart && secrets.find((secret) => read.includes(readable(secret)));
  if (shown) throw new Error(`the secret ${shown} can be read in: ${message} ${claimsChallenge} ${errorUri}`);
  if (claimsChallenge !== undefined) return 'with a claims challenge';
  if (errorUri !== undefined) return 'with a page for the user';
  return oauthError === undefined ? code : 'with what the STS said';
}

export const errorProperties: readonly Property[] = [
  property('whatever an STS says in an error answer, nothing that was sent is repeated', {
    cases: 12_000,
    arbitrary: fc
      .oneof(
        fc.constantFrom(...CLIENT_AUTHS).map(([clientAuth, secrets]) => ({
          options: { clientAuth },
          secrets: [subject, actor, ...secrets],
        })),
        fc.constantFrom(...PROVIDERS).map(({ dialect }) => ({ options: { dialect }, secrets: [subject] })),
      )
      .chain((how) => errorAnswer.map((given) => ({ ...given, ...how }))),
    outcomes: ['with what the STS said', 'with a claims challenge', 'sts_invalid_response', 'sts_error'],
    check: checkError,
  }),
];
