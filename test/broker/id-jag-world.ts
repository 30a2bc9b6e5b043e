import { createBroker } from '../../src/broker/broker.ts';
import type { BreakerEvent, ExchangeEvent, LookUpEvent } from '../../src/broker/observer.ts';
import type { Broker, BrokerOptions } from '../../src/broker/types.ts';
import type { Target } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { closedAtEnd } from '../support/broker.ts';
import { type Clock, createClock } from '../support/clock.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { always, type Handler, json, type Loopback, startLoopback } from '../support/loopback.ts';
import { subjectJwt } from '../support/sts.ts';

export const MCP = 'https://mcp.example.com/files';
export const REFUSED = always({ error: 'invalid_grant' }, { status: 400 });

export const typed = (typ: string, claims: object): string => {
  const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ })).toString('base64url');
  return fakeJwt(claims as Record<string, unknown>).replace(/^[^.]+/, header);
};
export const payloadOf = (token: string | null): Record<string, unknown> =>
  JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString());

/** The user's identity provider: an ID-JAG for whoever is asked for. */
export const asserting =
  (clock: Clock, typ = 'oauth-id-jag+jwt'): Handler =>
  ({ form }, response) => {
    const { sub } = payloadOf(form.get('subject_token'));
    const act = form.has('actor_token') ? { sub: payloadOf(form.get('actor_token')).sub } : undefined;
    const [resource, scope] = [form.get('resource'), form.get('scope') ?? undefined];
    const exp = seconds(clock.now()) + 300;
    const assertion = typed(typ, {
      sub,
      aud: form.get('audience'),
      client_id: 'files-agent',
      act,
      resource,
      scope,
      exp,
    });
    const issued_token_type = form.get('requested_token_type');
    json(response, { access_token: assertion, issued_token_type, token_type: 'N_A', expires_in: 300 });
  };

/** The authorization server of a resource: an access token for what stands in the ID-JAG. */
export const granting =
  (clock: Clock): Handler =>
  ({ form }, response) => {
    const { resource, scope } = payloadOf(form.get('assertion'));
    const exp = seconds(clock.now()) + 120;
    // It calls the user by a name of its own.
    const access_token = fakeJwt({ sub: 'user-17', aud: resource, scope, exp });
    json(response, { access_token, token_type: 'Bearer', expires_in: 120 });
  };

export interface World {
  readonly clock: Clock;
  readonly idp: Loopback;
  readonly as: Loopback;
  readonly authorizationServer: TokenService;
  readonly broker: Broker;
  readonly target: Target;
  readonly exchanges: ExchangeEvent[];
  readonly lookUps: LookUpEvent['result'][];
  readonly breakers: BreakerEvent[];
  /** Another process with the same settings. */
  replica(): Broker;
  token(sub?: string): ReturnType<Broker['token']>;
}

export const SECRETS = { idp: 'secret-of-the-agent-at-the-idp', as: 'secret-of-the-agent-at-files' } as const;

/** A broker, an identity provider and the authorization server of a resource. */
export async function startWorld(
  options: Partial<BrokerOptions> = {},
  service: Partial<TokenServiceOptions> = {},
): Promise<World> {
  const clock = createClock();
  const [idp, as] = [await startLoopback(asserting(clock)), await startLoopback(granting(clock))];
  const at = (server: Loopback, clientId: string, clientSecret: string): TokenService =>
    createTokenService({
      ...{ issuer: server.origin, tokenEndpoint: `${server.origin}/token`, clientId },
      clientAuth: { method: 'client_secret_post', clientSecret },
      retry: { attempts: 1 },
      ...service,
    });
  const authorizationServer = at(as, 'files-agent', SECRETS.as);
  const exchanges: ExchangeEvent[] = [];
  const lookUps: LookUpEvent['result'][] = [];
  const breakers: BreakerEvent[] = [];
  const replica = (): Broker =>
    closedAtEnd(
      createBroker({
        tokenService: at(idp, 'agent', SECRETS.idp),
        retention: 'subject',
        now: clock.now,
        observer: {
          exchange: (event) => void exchanges.push(event),
          lookUp: ({ result }) => void lookUps.push(result),
          breaker: (event) => void breakers.push(event),
        },
        ...options,
      }),
    );
  const broker = replica();
  const target: Target = { resource: MCP, profile: 'id-jag', authorizationServer };
  const exp = seconds(clock.now()) + 36_000;
  const subjects = new Map(['alice', 'bob'].map((sub) => [sub, subjectJwt(sub, { exp })]));
  return {
    ...{ clock, idp, as, authorizationServer, broker, target, exchanges, lookUps, breakers, replica },
    token: (sub = 'alice') => broker.token(broker.begin({ subjectToken: subjects.get(sub) }), target),
  };
}
