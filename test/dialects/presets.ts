import type { Dialect } from '../../src/core/dialect.ts';
import type { OnbehalfError } from '../../src/core/errors.ts';
import { exchangeRequest, processExchangeResponse } from '../../src/core/exchange.ts';
import type { ExchangeParameters } from '../../src/core/exchange-parameters.ts';
import { resolveTarget, type Target } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { type SecurityToken, securityToken, TOKEN_TYPE } from '../../src/core/token-types.ts';
import { auth0Custom } from '../../src/dialects/auth0-custom.ts';
import { auth0OnBehalfOf } from '../../src/dialects/auth0-on-behalf-of.ts';
import { authentik } from '../../src/dialects/authentik.ts';
import { dex } from '../../src/dialects/dex.ts';
import { entra } from '../../src/dialects/entra.ts';
import { google } from '../../src/dialects/google.ts';
import { keycloak } from '../../src/dialects/keycloak.ts';
import { okta } from '../../src/dialects/okta.ts';
import { zitadel } from '../../src/dialects/zitadel.ts';
import { failureOf } from '../support/failure.ts';
import {
  always,
  type Handler,
  json,
  type Loopback,
  type Received,
  startLoopback,
} from '../support/loopback.ts';

export { auth0Custom, auth0OnBehalfOf, authentik, dex, entra, google, keycloak, okta, zitadel };

export const SUBJECT = 'the-subject-token';
export const ACTOR = 'the-actor-token';
export const { accessToken: AT, idToken: ID, jwt: JWT } = TOKEN_TYPE;
export const LEGACY = 'urn:example:legacy-token';
export const POOL =
  '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/idp';

/** Each preset, with an exchange that it takes. */
export const PRESETS: readonly {
  readonly dialect: Dialect;
  readonly target: Target;
  readonly subjectType?: string;
}[] = [
  { dialect: keycloak(), target: { audience: 'calendar' } },
  { dialect: keycloak({ delegation: true }), target: { audience: 'calendar' } },
  { dialect: okta(), target: { audience: 'api://calendar' } },
  { dialect: auth0OnBehalfOf(), target: { audience: 'https://calendar.example.com' } },
  {
    dialect: auth0Custom({ subjectTokenType: LEGACY }),
    target: { audience: 'https://calendar.example.com' },
  },
  { dialect: zitadel(), target: { audience: '259254317079330818' } },
  { dialect: authentik(), target: { audience: 'calendar' } },
  { dialect: google(), target: { audience: POOL, scope: 'cloud' }, subjectType: JWT },
  { dialect: dex({ connectorId: 'upstream' }), target: { audience: 'calendar' } },
  { dialect: entra(), target: { audience: 'api://calendar', scope: 'api://calendar/.default' } },
];

/** What is exchanged, where it matters. */
export interface Exchanged {
  readonly subjectType?: string | undefined;
  readonly actorType?: string | undefined;
}

export interface Provider extends Loopback {
  readonly service: TokenService;
  /** Asks for a token and gives the answer as it came. */
  exchange(target: Target, what?: Exchanged): Promise<Response>;
}

/** A token endpoint with the path of a provider, that answers as it is told. */
export async function startProvider(
  dialect: Dialect,
  options: Partial<TokenServiceOptions> & { readonly path?: string; readonly answer?: Handler } = {},
): Promise<Provider> {
  const { path = '/token', answer = (_request, response) => json(response, {}), ...more } = options;
  const server = await startLoopback(answer);
  const service = createTokenService({
    tokenEndpoint: `${server.origin}${path}`,
    clientId: 'agent',
    dialect,
    retry: { attempts: 1 },
    ...more,
  });
  return {
    ...server,
    service,
    exchange: (target, what) => exchangeRequest(service, parametersOf(target, what)),
  };
}

/** The parameters of an exchange. */
export function parametersOf(target: Target, { subjectType, actorType }: Exchanged = {}): ExchangeParameters {
  const actor: SecurityToken | undefined =
    actorType === undefined ? undefined : securityToken(ACTOR, actorType);
  return { subject: securityToken(SUBJECT, subjectType), actor, target: resolveTarget(target) };
}

/** The form of a request, names and values in their order. */
export const fieldsOf = (request: Received | undefined): [string, string][] => [...(request?.form ?? [])];

/** What an error response of a provider becomes. */
export async function failed(dialect: Dialect, status: number, body: unknown): Promise<OnbehalfError> {
  const provider = await startProvider(dialect, { answer: always(body, { status }) });
  const { target, ...exchanged } = PRESETS.find((preset) => preset.dialect.name === dialect.name) ?? {
    target: { audience: 'calendar' },
  };
  const response = await provider.exchange(target, exchanged);
  return failureOf(processExchangeResponse(provider.service, response, parametersOf(target, exchanged)));
}
