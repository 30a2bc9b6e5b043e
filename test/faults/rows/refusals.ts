import { always, type Handler, json } from '../../support/loopback.ts';
import type { FaultRow } from '../row.ts';
import { atDevelopmentSts } from './development.ts';
import { bare, first } from './handlers.ts';

const once = { sts: 1, mcp: 0 } as const;

const refusing = (error: string, more: object = {}, status = 400): Handler =>
  always({ error, ...more }, { status });

/** An OAuth error, and its class. */
const refused = (error: string, failure: string): FaultRow => ({
  fault: `STS: 400 ${error}`,
  outcome: `sts_error ${failure}`,
  ...once,
  answers: () => refusing(error),
});

const status = (code: number, headers: Readonly<Record<string, string>> = {}): Handler =>
  always({ error: 'temporarily_unavailable' }, { status: code, headers });

/** What an STS can say no with. */
export const refusalRows: readonly FaultRow[] = [
  refused('invalid_grant', 'reauthentication_required'),
  refused('login_required', 'reauthentication_required'),
  refused('consent_required', 'consent_required'),
  refused('unauthorized_client', 'misconfigured'),
  refused('unsupported_grant_type', 'misconfigured'),
  refused('invalid_request', 'denied'),
  refused('invalid_scope', 'denied'),
  refused('invalid_target', 'denied'),
  refused('__proto__', 'denied'),
  {
    fault: 'STS: 400 interaction_required with claims for the next sign-in',
    outcome: 'sts_error reauthentication_required claimsChallenge={"access_token":{"acrs":{"value":"c1"}}}',
    ...once,
    answers: () =>
      refusing('interaction_required', { claims: '{"access_token": {"acrs": {"value": "c1"}}}' }),
    shows: ['claimsChallenge'],
  },
  {
    fault: 'STS: 400 with the subject token in its claims',
    outcome: 'sts_error reauthentication_required claimsChallenge=undefined',
    ...once,
    answers: () => (request, response) => {
      const claims = JSON.stringify({ access_token: { nonce: request.form.get('subject_token') } });
      json(response, { error: 'interaction_required', claims }, { status: 400 });
    },
    shows: ['claimsChallenge'],
  },
  {
    fault: 'STS: 400 consent_required with a page for the user',
    outcome: 'sts_error consent_required errorUri=https://sts.example.com/consent',
    ...once,
    answers: () => refusing('consent_required', { error_uri: 'https://sts.example.com/consent' }),
    shows: ['errorUri'],
  },
  {
    fault: 'STS: 400 that repeats all it was sent',
    outcome: 'sts_error denied',
    ...once,
    answers: () => (request, response) => {
      const { authorization = '' } = request.headers;
      const description = `${request.body} ${decodeURIComponent(request.body)} ${authorization}`;
      json(response, { error: 'invalid_request', error_description: description }, { status: 400 });
    },
  },
  {
    fault: 'STS: 400 whose error code is the subject token',
    outcome: 'sts_error denied oauthError=[redacted]',
    ...once,
    answers: () => (request, response) =>
      json(response, { error: request.form.get('subject_token') }, { status: 400 }),
    shows: ['oauthError'],
  },
  {
    fault: 'STS: 401 invalid_client with WWW-Authenticate',
    outcome: 'sts_error misconfigured',
    ...once,
    answers: () =>
      always(
        { error: 'invalid_client' },
        { status: 401, headers: { 'www-authenticate': 'Basic realm="sts"' } },
      ),
  },
  {
    fault: 'STS: 401 without an OAuth error',
    outcome: 'sts_invalid_response misconfigured',
    ...once,
    answers: () => bare(401, { 'www-authenticate': 'Basic realm="proxy"' }),
  },
  {
    fault: 'STS: 403, a page of some firewall',
    outcome: 'sts_invalid_response misconfigured',
    ...once,
    answers: () => (_request, response) =>
      void response.writeHead(403, { 'content-type': 'text/html' }).end('<title>blocked</title>'),
  },
  {
    fault: 'STS: 404',
    outcome: 'sts_invalid_response misconfigured',
    ...once,
    answers: () => bare(404),
  },
  {
    fault: 'STS: a refusal is told again without asking, for five seconds',
    outcome: ['sts_error denied', 'sts_error denied', 'ok'],
    ...{ sts: 2, mcp: 1 },
    answers: () => first(refusing('invalid_target')),
    async play({ call, places }) {
      await call();
      places.pass(4_999);
      await call();
      places.pass(1);
      await call();
    },
  },
  {
    fault: 'STS: 429 without Retry-After, three times',
    outcome: 'sts_error unavailable',
    ...{ sts: 3, mcp: 0 },
    answers: () => status(429),
  },
  {
    fault: 'STS: 429 with Retry-After of a second, then answers',
    outcome: ['ok', 'it waited'],
    ...{ sts: 2, mcp: 1 },
    answers: () => first(status(429, { 'retry-after': '1' })),
    async play({ call, note }) {
      const asked = performance.now();
      await call();
      note(performance.now() - asked >= 990 ? 'it waited' : 'it did not wait');
    },
  },
  {
    fault: 'STS: 429 with Retry-After of an hour',
    outcome: ['sts_error unavailable retryAfterMs=3600000', 'sts_error unavailable retryAfterMs=3600000'],
    ...once,
    answers: () => status(429, { 'retry-after': '3600' }),
    shows: ['retryAfterMs'],
    async play({ call }) {
      await call();
      await call();
    },
  },
  {
    fault: 'STS: 429 with Retry-After that is no time',
    outcome: 'sts_error unavailable retryAfterMs=undefined',
    ...{ sts: 3, mcp: 0 },
    answers: () => status(429, { 'retry-after': 'later' }),
    shows: ['retryAfterMs'],
  },
  {
    fault: 'STS: 500, then answers',
    outcome: 'ok',
    ...{ sts: 2, mcp: 1 },
    answers: () => first(status(500)),
  },
  {
    fault: 'STS: 502, 503, then answers',
    outcome: 'ok',
    ...{ sts: 3, mcp: 1 },
    answers: () => first(status(502), status(503)),
  },
  {
    fault: 'STS: connection dropped, then answers (development STS)',
    outcome: 'ok',
    ...{ sts: 2, mcp: 1 },
    given: atDevelopmentSts({ kind: 'disconnect' }),
  },
  {
    fault: 'STS: 503 for ten callers at once',
    outcome: Array.from({ length: 10 }, () => 'sts_error unavailable'),
    ...{ sts: 3, mcp: 0 },
    answers: () => status(503),
    play: ({ call }) => Promise.all(Array.from({ length: 10 }, () => call())),
  },
  {
    fault: 'STS: 503 for ever, the breaker opens, then it recovers',
    outcome: [
      'sts_error unavailable',
      ...['sts_circuit_open unavailable', 'sts_circuit_open unavailable'],
      ...['ok', 'ok'],
    ],
    ...{ sts: 6, mcp: 2 },
    answers: () => first(...Array.from({ length: 5 }, () => status(503))),
    async play({ call, places }) {
      // Three tries, then two more open it; then it is left alone.
      for (let index = 0; index < 3; index++) await call();
      places.pass(10_000);
      await call();
      await call();
    },
  },
  {
    fault: 'STS: still down when the breaker tries it',
    outcome: [
      'sts_error unavailable',
      'sts_circuit_open unavailable',
      'sts_circuit_open unavailable retryAfterMs=10000',
    ],
    ...{ sts: 6, mcp: 0 },
    answers: () => status(503),
    async play({ call, places }) {
      for (let index = 0; index < 2; index++) await call();
      places.pass(10_000);
      await call({ shows: ['retryAfterMs'] });
    },
  },
];
