import { TOKEN_TYPE } from '../../../src/core/token-types.ts';
import { seconds } from '../../support/jwt.ts';
import type { Handler } from '../../support/loopback.ts';
import { granting, subjectJwt } from '../../support/sts.ts';
import type { FaultRow } from '../row.ts';
import { actorJwt } from '../usual.ts';
import { atDevelopmentSts } from './development.ts';

const rejected = { outcome: 'issued_token_rejected misconfigured', sts: 1, mcp: 0 } as const;
const fine = { outcome: 'ok', sts: 1, mcp: 1 } as const;
const READ = { audience: 'calendar', scope: 'read' } as const;

/** What makes a token pass every check. */
const PASSING = { aud: 'calendar', act: { sub: 'agent' } } as const;

type Claims = Readonly<Record<string, unknown>>;

const claiming = (claims: Claims | (() => Claims)): Handler =>
  granting(() => ({ claims: typeof claims === 'function' ? claims() : claims }));

const answering = (response: Claims): Handler => granting(() => ({ response }));

/** A token with these times, as a clock says that differs from ours by so much. */
const clockOff = (by: number): Handler =>
  claiming(() => {
    const theirs = seconds(Date.now()) + by;
    return { iat: theirs, nbf: theirs, exp: theirs + 300 };
  });

/** What can be wrong with a token that the STS issued. */
export const issuedRows: readonly FaultRow[] = [
  {
    fault: 'token: for another audience, signed',
    ...rejected,
    given: atDevelopmentSts({ kind: 'wrong-audience' }),
  },
  {
    fault: 'token: for one more audience',
    ...rejected,
    answers: () => claiming({ aud: ['calendar', 'payroll'] }),
  },
  { fault: 'token: for no audience', ...rejected, answers: () => claiming({ aud: undefined }) },
  {
    fault: 'token: audience that only begins alike',
    ...rejected,
    answers: () => claiming({ aud: 'calendar-admin' }),
  },
  {
    fault: 'token: of another user, signed',
    ...rejected,
    given: atDevelopmentSts({ kind: 'other-subject' }),
  },
  { fault: 'token: of no user', ...rejected, answers: () => claiming({ sub: undefined }) },
  {
    fault: 'token: scope widened in the claim, signed',
    ...rejected,
    given: async (places) => ({ ...(await atDevelopmentSts({ kind: 'wider-scope' })(places)), target: READ }),
  },
  {
    fault: 'token: scope widened in the answer',
    ...rejected,
    answers: () => answering({ scope: 'read write' }),
    given: () => ({ target: READ }),
  },
  {
    fault: 'token: scope narrowed',
    ...fine,
    answers: () => granting(() => ({ claims: { scope: 'read' }, response: { scope: 'read' } })),
    given: () => ({ target: { audience: 'calendar', scope: 'read write' } }),
  },
  { fault: 'token: without "act", signed', ...rejected, given: atDevelopmentSts({ kind: 'no-act' }) },
  {
    fault: 'token: "act" is another agent',
    ...rejected,
    answers: () => claiming({ act: { sub: 'other-agent' } }),
  },
  { fault: 'token: "act" is a string', ...rejected, answers: () => claiming({ act: 'agent' }) },
  { fault: 'token: opaque', ...rejected, given: atDevelopmentSts({ kind: 'opaque' }) },
  {
    fault: 'token: another type than asked',
    ...rejected,
    answers: () => answering({ issued_token_type: TOKEN_TYPE.idToken }),
  },
  {
    fault: 'token: the subject token came back, good for the server',
    ...rejected,
    answers: () => givingBack('subject_token'),
    given: () => ({ subject: { token: subjectJwt('alice', PASSING) } }),
  },
  {
    fault: 'token: the actor token came back, good for the server',
    ...rejected,
    answers: () => givingBack('actor_token'),
    given: ({ secret }) => {
      const token = secret(actorJwt({ ...PASSING, sub: 'alice', act: { sub: 'alice' } }));
      return { broker: { actor: () => token } };
    },
  },
  { fault: 'token: expired at birth', ...rejected, answers: () => claiming({ exp: 1 }) },
  { fault: 'token: "exp" is no number', ...rejected, answers: () => claiming({ exp: 'tomorrow' }) },
  { fault: 'token: "exp" is null', ...rejected, answers: () => claiming({ exp: null }) },
  { fault: 'clock of the STS: one minute ahead', ...fine, answers: () => clockOff(60) },
  { fault: 'clock of the STS: one minute behind', ...fine, answers: () => clockOff(-60) },
  { fault: 'clock of the STS: an hour behind', ...rejected, answers: () => clockOff(-3600) },
  {
    fault: 'clock of the STS: an hour ahead, so its tokens seem to last longer',
    ...{ outcome: ['ok', 'ok'], sts: 2, mcp: 2 },
    answers: () => clockOff(3600),
    async play({ call, places }) {
      await call();
      // `expires_in` is counted from the answer, so it holds whatever the clocks say.
      places.pass(291_000);
      await call();
    },
  },
];

function givingBack(parameter: string): Handler {
  return (request, response) =>
    granting(() => ({ response: { access_token: request.form.get(parameter) } }))(request, response);
}
