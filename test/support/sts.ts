import { onTestFinished } from 'vitest';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import {
  createDevelopmentSts,
  type DevelopmentClient,
  type DevelopmentSts,
  type DevelopmentStsOptions,
} from '../../src/sts/index.ts';
import { fakeJwt, seconds } from './jwt.ts';
import { type Handler, json, type Loopback, type Received, startLoopback } from './loopback.ts';

export const AGENT = {
  clientId: 'agent',
  authentication: 'client_secret_basic',
  clientSecret: 'agent-secret',
  audiences: ['calendar', 'files', 'notes', 'https://mcp.example.com/billing'],
  scopes: ['read', 'write'],
} as const satisfies DevelopmentClient;

/** The development STS, a real authorization server, closed at the end of the test. */
export async function startSts(options: Partial<DevelopmentStsOptions> = {}): Promise<DevelopmentSts> {
  const sts = await createDevelopmentSts({
    clients: [AGENT],
    users: [{ sub: 'alice' }, { sub: 'bob' }, { sub: 'carol' }],
    ...options,
  });
  onTestFinished(() => sts.close());
  return sts;
}

/** Long waits between tries are for real servers. */
const retry = { backoffMs: 1 } as const;

/** The agent's registration there. */
export function serviceOf(
  sts: Pick<DevelopmentSts, 'issuer'>,
  options: Partial<TokenServiceOptions> = {},
): TokenService {
  return createTokenService({
    issuer: sts.issuer,
    clientId: AGENT.clientId,
    clientAuth: { method: 'client_secret_basic', clientSecret: AGENT.clientSecret },
    retry,
    ...options,
  });
}

/** What a {@link startPlainSts} answers, where it is to differ from what was asked for. */
export type Bend = (request: Received) => {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly response?: Readonly<Record<string, unknown>>;
};

export interface PlainSts extends Loopback {
  readonly service: TokenService;
  /** How many exchanges were asked for. */
  readonly exchanges: number;
}

/**
 * A token endpoint that grants every exchange with a token that nobody signed: for what the development STS
 * cannot be made to say, and for thousands of exchanges.
 */
export async function startPlainSts(
  bend: Bend = () => ({}),
  options: Partial<TokenServiceOptions> = {},
): Promise<PlainSts> {
  const server = await startLoopback(granting(bend));
  const service = createTokenService({
    tokenEndpoint: `${server.origin}/token`,
    clientId: 'agent',
    retry,
    ...options,
  });
  return {
    ...server,
    service,
    get exchanges() {
      return server.received.length;
    },
  };
}

/** Answers as a {@link startPlainSts} does. */
export function granting(bend: Bend = () => ({})): Handler {
  return (request, response) => {
    const { claims, response: more } = bend(request);
    json(response, {
      access_token: fakeJwt({ ...grantedClaims(request.form), ...claims }),
      issued_token_type: TOKEN_TYPE.accessToken,
      token_type: 'Bearer',
      expires_in: 300,
      ...more,
    });
  };
}

function grantedClaims(form: URLSearchParams): Record<string, unknown> {
  const claimsOf = (name: string): { sub?: string } | undefined => {
    const payload = form.get(name)?.split('.')[1];
    return payload === undefined ? undefined : JSON.parse(Buffer.from(payload, 'base64url').toString());
  };
  const actor = claimsOf('actor_token');
  return {
    iss: 'https://sts.example.com',
    sub: claimsOf('subject_token')?.sub,
    aud: [...form.getAll('audience'), ...form.getAll('resource')],
    ...(form.has('scope') ? { scope: form.get('scope') } : {}),
    ...(actor === undefined ? {} : { act: { sub: actor.sub } }),
  };
}

/** A subject token that the STS of {@link startPlainSts} understands. */
export function subjectJwt(sub: string, more: Readonly<Record<string, unknown>> = {}): string {
  return fakeJwt({ iss: 'https://idp.example.com', sub, exp: seconds(Date.now()) + 3600, ...more });
}
