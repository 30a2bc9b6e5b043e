import { createAuthorizationServer } from './authorization-server.ts';
import { checkOptions } from './check-options.ts';
import { createExchangeLog, showable } from './exchange-log.ts';
import { createFaultQueue } from './faults.ts';
import { type Listener, listen } from './listener.ts';
import { oauthError } from './oauth-error.ts';
import type { DevelopmentSts, DevelopmentStsOptions, SubjectTokenOptions } from './options.ts';
import { onlyServedPaths } from './served-paths.ts';
import { subjectTokenEndpoint } from './subject-token-endpoint.ts';
import { watchTokenEndpoint } from './token-endpoint.ts';
import { audClaim, createTokenMint, epochSeconds, type TokenMint } from './token-mint.ts';
import { createTokenVerifier } from './token-verifier.ts';

const DEFAULT_TTL = 300;

/**
 * Starts an authorization server for development and tests, with token exchange (RFC 8693) and client
 * credentials (RFC 6749 section 4.4). Keys are made at start and die with the process.
 *
 * @throws TypeError when an option is wrong; the message starts with its path
 * @throws Error when `host` is not loopback, the port cannot be bound, or `oidc-provider` is not installed
 */
export async function createDevelopmentSts(options: DevelopmentStsOptions): Promise<DevelopmentSts> {
  checkOptions(options);
  const listener = await listen({
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    allowNonLoopback: options.dangerouslyAllowNonLoopback ?? false,
  });
  try {
    return await serve(options, listener);
  } catch (error) {
    await listener.close();
    throw error;
  }
}

async function serve(options: DevelopmentStsOptions, listener: Listener): Promise<DevelopmentSts> {
  const issuer = listener.origin;
  const closing = new AbortController();
  const mint = await createTokenMint(options.onToken);
  const log = createExchangeLog(options.onExchange);
  const faults = createFaultQueue();
  const mintSubjectToken = createSubjectTokenMint(options, issuer, mint);
  const provider = await createAuthorizationServer({
    issuer,
    clients: options.clients,
    accessTokenTtl: options.accessTokenTtl ?? DEFAULT_TTL,
    mint,
    verify: createTokenVerifier(issuer, mint.publicJwks, options.trustedIssuers),
  });
  provider.use(subjectTokenEndpoint(mintSubjectToken));
  const path = provider.pathFor('token');
  provider.use(watchTokenEndpoint({ path, faults, log, closing: closing.signal }));
  provider.use(onlyServedPaths(provider, options.clients));
  listener.serve(provider.callback());

  return {
    issuer,
    tokenEndpoint: provider.urlFor('token'),
    jwksUri: provider.urlFor('jwks'),
    metadataUrl: `${issuer}/.well-known/oauth-authorization-server`,
    exchanges: log.records,
    mintSubjectToken,
    inject: faults.inject,
    clearFaults: faults.clear,
    close() {
      closing.abort();
      return listener.close();
    },
  };
}

function createSubjectTokenMint(
  { users = [] }: DevelopmentStsOptions,
  issuer: string,
  mint: TokenMint,
): (options: SubjectTokenOptions) => Promise<string> {
  return async ({ sub, audience, scope, expiresIn = DEFAULT_TTL, claims }) => {
    const user = users.find((candidate) => candidate.sub === sub);
    if (user === undefined) {
      throw oauthError('invalid_request', `${showable(sub)} is not a configured user`);
    }
    const now = epochSeconds();
    return mint.sign({
      ...(user.name === undefined ? {} : { name: user.name }),
      ...claims,
      iss: issuer,
      sub,
      aud: audClaim([audience].flat()),
      client_id: 'development-sign-in',
      // An expired token was issued before it expired.
      iat: Math.min(now, now + expiresIn),
      exp: now + expiresIn,
      ...(scope === undefined ? {} : { scope }),
    });
  };
}
