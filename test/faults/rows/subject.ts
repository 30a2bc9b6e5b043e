import { fakeJwt, seconds } from '../../support/jwt.ts';
import { granting, subjectJwt } from '../../support/sts.ts';
import type { FaultRow, Given } from '../row.ts';
import { CLIENT } from '../usual.ts';

const nothingSent = { sts: 0, mcp: 0 } as const;
const signInAgain = 'reauthentication_required';

const subject = (token: () => string | undefined) => (): Given => ({ subject: { token: token() } });

/** What can be wrong with the user's token. */
export const subjectRows: readonly FaultRow[] = [
  {
    fault: 'subject: none',
    ...{ outcome: `subject_missing ${signInAgain}`, ...nothingSent },
    given: subject(() => undefined),
  },
  {
    fault: 'subject: with "Bearer" before it',
    ...{ outcome: `subject_malformed ${signInAgain}`, ...nothingSent },
    given: subject(() => `Bearer ${subjectJwt('alice')}`),
  },
  {
    fault: 'subject: with a line break in it',
    ...{ outcome: `subject_malformed ${signInAgain}`, ...nothingSent },
    given: subject(() => `${subjectJwt('alice')}\r\nx-admin: yes`),
  },
  {
    fault: 'subject: opaque',
    ...{ outcome: `subject_malformed ${signInAgain}`, ...nothingSent },
    given: subject(() => 'opaque-subject-token-for-tests'),
  },
  {
    fault: 'subject: without "sub"',
    ...{ outcome: `subject_malformed ${signInAgain}`, ...nothingSent },
    given: subject(() => fakeJwt({ exp: 4_000_000_000 })),
  },
  {
    fault: 'subject: "exp" is no number',
    ...{ outcome: `subject_malformed ${signInAgain}`, ...nothingSent },
    given: subject(() => subjectJwt('alice', { exp: 'tomorrow' })),
  },
  {
    fault: 'subject: expired',
    ...{ outcome: `subject_expired ${signInAgain}`, ...nothingSent },
    given: subject(() => subjectJwt('alice', { exp: seconds(Date.now()) - 1 })),
  },
  {
    fault: 'subject: expires between two calls, its token still kept',
    ...{ outcome: ['ok', `subject_expired ${signInAgain}`], sts: 1, mcp: 1 },
    given: () => ({ subject: { token: subjectJwt('alice', { exp: seconds(Date.now()) + 60 }) } }),
    async play({ call, places }) {
      await call();
      places.pass(60_000);
      await call();
    },
  },
  {
    fault: 'subject: expires while the exchange is under way',
    ...{ outcome: `subject_expired ${signInAgain}`, sts: 1, mcp: 0 },
    given: ({ sts, pass }) => {
      const grant = granting();
      sts.handle((request, response) => {
        pass(60_000);
        grant(request, response);
      });
      return { subject: { token: subjectJwt('alice', { exp: seconds(Date.now()) + 60 }) } };
    },
  },
  {
    fault: 'subject: "may_act" names another actor',
    ...{ outcome: 'actor_not_permitted denied', ...nothingSent },
    given: subject(() => subjectJwt('alice', { may_act: { sub: 'other-agent' } })),
  },
  {
    fault: 'subject: "may_act" names the actor at another issuer',
    ...{ outcome: 'actor_not_permitted denied', ...nothingSent },
    given: subject(() =>
      subjectJwt('alice', { may_act: { sub: CLIENT.id, iss: 'https://other.example.com' } }),
    ),
  },
];
