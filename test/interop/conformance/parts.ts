import { createRemoteJWKSet, jwtVerify } from 'jose';
import { onTestFinished } from 'vitest';
import {
  type Broker,
  clientCredentialsActor,
  createBroker,
  createTokenService,
  type Delegation,
  type TokenService,
} from '../../../src/index.ts';
import { createDevelopmentSts, type DevelopmentSts } from '../../../src/sts/index.ts';

/** Client id of the agent at the STS, and so the `sub` of `act` in what it issues. */
export const AGENT = 'agent';
export const USERS = ['alice', 'bob'] as const;
export type User = (typeof USERS)[number];
const CLIENT_SECRET = 'made-up-secret-for-loopback';

/** An STS, and an agent that is known there. */
export interface Parts {
  readonly sts: DevelopmentSts;
  readonly tokenService: TokenService;
  readonly broker: Broker;
  /** Begins a run for a user. */
  begin(user: User): Promise<Delegation>;
}

/** Starts the development STS, with an agent that may ask for tokens for these servers; stopped after the test. */
export async function startParts(
  audiences: readonly string[],
  scopes: readonly string[] = [],
): Promise<Parts> {
  const client = {
    clientId: AGENT,
    authentication: 'client_secret_basic',
    clientSecret: CLIENT_SECRET,
  } as const;
  const sts = await createDevelopmentSts({
    clients: [{ ...client, audiences, scopes }],
    users: USERS.map((sub) => ({ sub })),
  });
  onTestFinished(() => sts.close());
  const tokenService = createTokenService({
    issuer: sts.issuer,
    clientId: AGENT,
    clientAuth: { method: 'client_secret_basic', clientSecret: CLIENT_SECRET },
  });
  const broker = createBroker({ tokenService, actor: clientCredentialsActor(tokenService) });
  onTestFinished(() => broker.close());
  return {
    sts,
    tokenService,
    broker,
    begin: async (sub) =>
      broker.begin({ subjectToken: await sts.mintSubjectToken({ sub, audience: AGENT }) }),
  };
}

/** Who calls a server, as the token says that was made for it. */
export interface Caller {
  readonly sub: string;
  /** `sub` of `act`; `undefined` where the caller acts for itself. */
  readonly actor: string | undefined;
  readonly scopes: readonly string[];
  /** Epoch seconds. */
  readonly expiresAt: number;
}

/** Verifies tokens as a server does: by the keys of the STS, its issuer, the server's own audience, and expiry. */
export function createVerifier(sts: DevelopmentSts, audience: string): (token: string) => Promise<Caller> {
  const keys = createRemoteJWKSet(new URL(sts.jwksUri));
  return async (token) => {
    const requiredClaims = ['sub', 'exp', 'iat'];
    const { payload } = await jwtVerify(token, keys, { issuer: sts.issuer, audience, requiredClaims });
    const { sub = '', exp = 0, act, scope } = payload;
    if (payload.aud !== audience) throw new Error('the token is for others, too');
    const actor = (act as { readonly sub?: unknown } | undefined)?.sub;
    return {
      sub,
      actor: typeof actor === 'string' ? actor : undefined,
      scopes: typeof scope === 'string' ? scope.split(' ') : [],
      expiresAt: exp,
    };
  };
}
