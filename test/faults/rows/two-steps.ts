import { createTokenService } from '../../../src/core/token-service.ts';
import { TOKEN_TYPE } from '../../../src/core/token-types.ts';
import { fakeJwt } from '../../support/jwt.ts';
import { always, type Handler, json } from '../../support/loopback.ts';
import { granting } from '../../support/sts.ts';
import type { Places } from '../places.ts';
import type { FaultRow, Given } from '../row.ts';
import { bare } from './handlers.ts';

const SERVER = 'https://mcp.example.com/calendar';
const AUTHORIZATION_SERVER = 'https://as.example.com';
const rejected = { outcome: 'issued_token_rejected misconfigured', mcp: 0 } as const;

/** Who answers at the two token endpoints, where it is not as usual. */
interface Steps {
  readonly provider?: Handler;
  readonly authorizationServer?: () => Handler;
}

/** An identity provider that makes ID-JAGs, and the authorization server that takes them. */
const inTwoSteps =
  ({ provider = grantIdJag, authorizationServer = () => grantAccess({}) }: Steps) =>
  ({ sts }: Places): Given => {
    const second = authorizationServer();
    sts.handle((request, response) => (request.path === '/token' ? provider : second)(request, response));
    const service = createTokenService({
      issuer: AUTHORIZATION_SERVER,
      tokenEndpoint: `${sts.origin}/resource/token`,
      clientId: 'agent',
      retry: { backoffMs: 0 },
    });
    return {
      target: { resource: SERVER, profile: 'id-jag', authorizationServer: service },
      exchanges: () => sts.received.length,
    };
  };

function grantIdJag(...[request, response]: Parameters<Handler>): void {
  const claims = { sub: 'alice', aud: AUTHORIZATION_SERVER, act: { sub: 'agent' } };
  const [, payload, signature] = fakeJwt(claims).split('.');
  const header = Buffer.from('{"alg":"ES256","typ":"oauth-id-jag+jwt"}').toString('base64url');
  const members = { issued_token_type: TOKEN_TYPE.idJag, token_type: 'N_A' };
  const token = [header, payload, signature].join('.');
  granting(() => ({ response: { ...members, access_token: token } }))(request, response);
}

const grantAccess = (claims: object, members: object = {}): Handler =>
  always({
    access_token: fakeJwt({ sub: 'alice', aud: SERVER, ...claims }),
    ...{ token_type: 'Bearer', expires_in: 300, ...members },
  });

/** An authorization server that takes an ID-JAG once (RFC 7523 section 3, "jti"). */
function takingOnce(): Handler {
  const taken = new Set<string | null>();
  let granted = 0;
  return (request, response) => {
    const assertion = request.form.get('assertion');
    if (taken.has(assertion)) return json(response, { error: 'invalid_grant' }, { status: 400 });
    taken.add(assertion);
    granted += 1;
    grantAccess({ jti: `${granted}` })(request, response);
  };
}

/** What can be wrong where a token is made in two steps, by an ID-JAG. */
export const twoStepRows: readonly FaultRow[] = [
  { fault: 'two steps: nothing is wrong', ...{ outcome: 'ok', sts: 2, mcp: 1 }, given: inTwoSteps({}) },
  {
    fault: 'two steps: an access token in place of the ID-JAG',
    ...{ ...rejected, sts: 1 },
    given: inTwoSteps({
      provider: granting(() => ({ response: { issued_token_type: TOKEN_TYPE.idJag, token_type: 'N_A' } })),
    }),
  },
  {
    fault: 'two steps: the authorization server is down',
    ...{ outcome: 'sts_error unavailable', sts: 4, mcp: 0 },
    given: inTwoSteps({ authorizationServer: () => bare(503) }),
  },
  {
    fault: 'two steps: the authorization server gives the ID-JAG back',
    ...{ ...rejected, sts: 2 },
    given: inTwoSteps({
      authorizationServer: () => (request, response) =>
        grantAccess({}, { access_token: request.form.get('assertion') })(request, response),
    }),
  },
  {
    fault: 'two steps: a token for another server',
    ...{ ...rejected, sts: 2 },
    given: inTwoSteps({ authorizationServer: () => grantAccess({ aud: 'https://mcp.example.com/mail' }) }),
  },
  {
    fault: 'two steps: the ID-JAG is taken once, and the MCP server refuses the token',
    ...{ outcome: 'ok', sts: 5, mcp: 2 },
    given: (places) => {
      const { mcp } = places;
      mcp.handle((request, response) => bare(mcp.received.length === 1 ? 401 : 200)(request, response));
      return inTwoSteps({ authorizationServer: takingOnce })(places);
    },
  },
];
