import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import type { Places } from './places.ts';

/** The agent as the STS knows it. */
export const CLIENT = { id: 'agent', secret: 'no-real-secret-of-the-agent' } as const;

/** A token of the agent, that nobody signed. */
export function actorJwt(more: Readonly<Record<string, unknown>> = {}): string {
  const exp = seconds(Date.now()) + 86_400;
  return fakeJwt({ iss: 'https://sts.example.com', sub: CLIENT.id, exp, ...more });
}

/** The STS as it is without a fault. */
export function usualService({ secret, sts }: Places): TokenServiceOptions {
  secret(Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64'));
  return {
    tokenEndpoint: `${sts.origin}/token`,
    clientId: CLIENT.id,
    clientAuth: { method: 'client_secret_basic', clientSecret: secret(CLIENT.secret) },
    retry: { backoffMs: 0 },
    timeoutMs: 5_000,
  };
}

/** Gives the agent's token as it is without a fault. */
export function usualActor({ secret }: Places): () => string {
  const token = secret(actorJwt());
  return () => token;
}
