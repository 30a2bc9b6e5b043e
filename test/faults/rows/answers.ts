import { TOKEN_TYPE } from '../../../src/core/token-types.ts';
import { fakeJwt } from '../../support/jwt.ts';
import { always, type Handler } from '../../support/loopback.ts';
import { granting, subjectJwt } from '../../support/sts.ts';
import type { FaultRow } from '../row.ts';
import { bare } from './handlers.ts';

const HOUR = 3_600_000;
const fine = { outcome: 'ok', sts: 1, mcp: 1 } as const;
const invalid = { outcome: 'sts_invalid_response misconfigured', sts: 1, mcp: 0 } as const;

const ANSWER = {
  access_token: fakeJwt({ sub: 'alice', aud: 'calendar', act: { sub: 'agent' } }),
  issued_token_type: TOKEN_TYPE.accessToken,
  token_type: 'Bearer',
  expires_in: 300,
} as const;
const GOOD = JSON.stringify(ANSWER);

/** A good answer but for some members; `undefined` for none. */
const bent = (members: Readonly<Record<string, unknown>>): Handler => granting(() => ({ response: members }));

const text =
  (body: string, type = 'application/json', status = 200): Handler =>
  (_request, response) =>
    void response.writeHead(status, { 'content-type': type }).end(body);

/** What can be wrong with an answer that says success. */
export const answerRows: readonly FaultRow[] = [
  { fault: 'answer: a page of HTML, 200', ...invalid, answers: () => text('<!doctype html>', 'text/html') },
  // What it says is checked all the same, so its label alone does no harm.
  { fault: 'answer: good, but as text/plain', ...fine, answers: () => text(GOOD, 'text/plain') },
  { fault: 'answer: empty', ...invalid, answers: () => text('') },
  { fault: 'answer: 204', ...invalid, answers: () => bare(204) },
  { fault: 'answer: good, but with status 201', ...invalid, answers: () => always(ANSWER, { status: 201 }) },
  { fault: 'answer: half of it', ...invalid, answers: () => text(GOOD.slice(0, 99)) },
  { fault: 'answer: null', ...invalid, answers: () => always(null) },
  { fault: 'answer: a list', ...invalid, answers: () => always([ANSWER]) },
  {
    fault: 'answer: an OAuth error with status 200',
    ...invalid,
    answers: () => always({ error: 'invalid_grant' }),
  },
  { fault: 'answer: no "access_token"', ...invalid, answers: () => bent({ access_token: undefined }) },
  { fault: 'answer: "access_token" is empty', ...invalid, answers: () => bent({ access_token: '' }) },
  { fault: 'answer: "access_token" is a number', ...invalid, answers: () => bent({ access_token: 42 }) },
  {
    fault: 'answer: "access_token" with a line break and a header field',
    ...invalid,
    answers: () => bent({ access_token: `${fakeJwt({ aud: 'calendar' })}\r\nx-admin: yes` }),
  },
  {
    fault: 'answer: "access_token" outside ASCII',
    ...invalid,
    answers: () => bent({ access_token: 'tökén-for-tests' }),
  },
  { fault: 'answer: no "token_type"', ...invalid, answers: () => bent({ token_type: undefined }) },
  { fault: 'answer: "token_type" is mac', ...invalid, answers: () => bent({ token_type: 'mac' }) },
  { fault: 'answer: "token_type" is DPoP', ...invalid, answers: () => bent({ token_type: 'DPoP' }) },
  { fault: 'answer: "token_type" is N_A', ...invalid, answers: () => bent({ token_type: 'N_A' }) },
  {
    fault: 'answer: no "issued_token_type"',
    ...invalid,
    answers: () => bent({ issued_token_type: undefined }),
  },
  { fault: 'answer: "expires_in" is negative', ...invalid, answers: () => bent({ expires_in: -1 }) },
  { fault: 'answer: "expires_in" is a word', ...invalid, answers: () => bent({ expires_in: 'soon' }) },
  {
    fault: 'answer: "expires_in" is 0',
    ...{ outcome: 'issued_token_rejected misconfigured', sts: 1, mcp: 0 },
    answers: () => bent({ expires_in: 0 }),
  },
  {
    fault: 'answer: "expires_in" is a thousand years, kept for an hour at most',
    ...{ outcome: ['ok', 'ok', 'ok'], sts: 2, mcp: 3 },
    answers: () => bent({ expires_in: 31_557_600_000 }),
    given: () => ({
      broker: { refreshAhead: false, maxRunMs: 2 * HOUR },
      subject: { token: subjectJwt('alice', { exp: undefined }) },
    }),
    async play({ call, places }) {
      await call();
      places.pass(HOUR - 10_001);
      await call();
      places.pass(10_001);
      await call();
    },
  },
];
