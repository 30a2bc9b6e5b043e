import { createRemoteJWKSet, type JWTVerifyResult, jwtVerify } from 'jose';
import { describe, expect, inject } from 'vitest';
import { keycloak as dialect } from '../../../src/dialects/index.ts';
import {
  type Broker,
  type BrokerOptions,
  createBroker,
  createTokenService,
  type Delegation,
  type IssuedToken,
  type OnbehalfError,
  type Target,
  type TokenServiceOptions,
} from '../../../src/index.ts';
import { closedAtEnd } from '../../support/broker.ts';
import { failureOf } from '../../support/failure.ts';
import { expectNoLeak } from '../../support/leaks.ts';
import { REALM, secretOf } from './realm.ts';
import type { Keycloak } from './server.ts';

const given = inject('keycloak');

/** Tests of a Keycloak; skipped where there is none. */
export const describeKeycloak = describe.skipIf(given === undefined);

/** The Keycloak that runs. */
export function keycloak(): Keycloak {
  if (given === undefined) throw new Error('there is no Keycloak');
  return given;
}

/** A user's access token, as an agent gets it from the application where the user signed in. */
export async function signIn(user: string, client = 'front-end'): Promise<string> {
  const { issuer } = keycloak();
  const { access_token } = await form(`${issuer}/protocol/openid-connect/token`, {
    grant_type: 'password',
    client_id: client,
    username: user,
    password: secretOf(user),
  });
  return access_token as string;
}

/** A call of the admin REST API, below the realm. */
export async function admin(method: string, path: string, body?: object): Promise<unknown> {
  const { origin } = keycloak();
  const { access_token } = await form(`${origin}/realms/master/protocol/openid-connect/token`, {
    grant_type: 'password',
    client_id: 'admin-cli',
    username: 'admin',
    password: secretOf('admin'),
  });
  const response = await fetch(`${origin}/admin/realms/${REALM}${path}`, {
    method,
    headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

/** Keycloak's own id of a user or a client. */
export async function idOf(kind: 'users' | 'clients', name: string): Promise<string> {
  const query = kind === 'users' ? `username=${name}&exact=true` : `clientId=${name}`;
  const [first] = (await admin('GET', `/${kind}?${query}`)) as { readonly id: string }[];
  if (first === undefined) throw new Error(`there is no ${name} among the ${kind}`);
  return first.id;
}

/** Whether Keycloak itself takes a token for good (RFC 7662). */
export async function isActive(token: string): Promise<boolean> {
  const { issuer } = keycloak();
  const { active } = await form(`${issuer}/protocol/openid-connect/token/introspect`, {
    client_id: 'agent',
    client_secret: secretOf('agent'),
    token,
  });
  return active === true;
}

async function form(url: string, parameters: Record<string, string>): Promise<Record<string, unknown>> {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(parameters) });
  const body = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`${url} was answered with ${response.status}: ${JSON.stringify(body)}`);
  return body;
}

/** Verifies a token as the server that it is for does: signature, issuer, expiry, and that the audience is this alone. */
export async function verified(token: IssuedToken, audience: string): Promise<JWTVerifyResult> {
  const { issuer } = keycloak();
  const keys = createRemoteJWKSet(new URL(`${issuer}/protocol/openid-connect/certs`));
  const result = await jwtVerify(token.accessToken, keys, { issuer, audience, typ: 'JWT' });
  expect(result.payload.aud).toBe(audience);
  return result;
}

/** An agent of the realm. */
export interface Agent {
  readonly broker: Broker;
  /** The forms that were sent to the token endpoint. */
  readonly requests: readonly URLSearchParams[];
  /** Everything that was sent in confidence. */
  secrets(): string[];
}

type ServiceOptions = Partial<TokenServiceOptions>;
type MoreOptions = Partial<Omit<BrokerOptions, 'tokenService'>>;

/** An agent that uses this package as its users do; by default the client `agent`. */
export function startAgent(service: ServiceOptions = {}, options: MoreOptions = {}): Agent {
  const { clientId = 'agent' } = service;
  const requests: URLSearchParams[] = [];
  const headers: string[] = [];
  const tokenService = createTokenService({
    ...(service.tokenEndpoint === undefined ? { issuer: keycloak().issuer } : {}),
    clientId,
    clientAuth: { method: 'client_secret_basic', clientSecret: secretOf(clientId) },
    dialect: dialect(),
    fetch(url, init) {
      if (init?.method === 'POST') {
        requests.push(new URLSearchParams(String(init.body)));
        headers.push(new Headers(init.headers).get('authorization') ?? '');
      }
      return fetch(url, init);
    },
    ...service,
  });
  const confidential = ['subject_token', 'actor_token', 'client_assertion', 'client_secret'];
  return {
    broker: closedAtEnd(createBroker({ tokenService, ...options })),
    requests,
    secrets: () =>
      [
        ...requests.flatMap((request) => confidential.map((name) => request.get(name) ?? '')),
        ...headers.map((header) => header.replace(/^Basic /, '')),
        secretOf(clientId),
      ].filter(Boolean),
  };
}

/** How a token is refused. Nothing that is secret shows in the error. */
export async function refusal(
  agent: Agent,
  delegation: Delegation,
  target: Target | string,
): Promise<OnbehalfError> {
  const error = await failureOf(agent.broker.token(delegation, target));
  expectNoLeak(error, agent.secrets());
  return error;
}
