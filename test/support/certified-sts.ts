import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { exportJWK, generateKeyPair } from 'jose';
import type Provider from 'oidc-provider';
import type { ClientMetadata, JWK } from 'oidc-provider';
import { onTestFinished } from 'vitest';
import { loadProvider } from '../../src/sts/load-provider.ts';
import { createReplayAdapter } from '../../src/sts/replay-adapter.ts';
import type { Authority } from './certificates.ts';

/**
 * A real authorization server over https, closed at the end of the test, for the ways to authenticate that the
 * development STS does not have. Its clients get tokens by the client credentials grant.
 */
export async function startCertifiedSts(
  authority: Authority,
  clients: readonly ClientMetadata[],
): Promise<{ readonly issuer: string }> {
  let handle: ReturnType<Provider['callback']> | undefined;
  const tls = { ...(await authority.server()), ca: authority.cert };
  const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: false }, (request, response) =>
    handle?.(request, response),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await stopped;
  });
  const issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const { Provider: Server } = await loadProvider();
  const provider = new Server(issuer, {
    adapter: createReplayAdapter(),
    jwks: { keys: [(await exportJWK(privateKey)) as JWK] },
    ttl: { ClientCredentials: 300 },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    clients: clients.map((client) => ({
      ...{ redirect_uris: [], response_types: [], grant_types: ['client_credentials'] },
      ...client,
    })),
    clientAuthMethods: ['client_secret_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      mTLS: {
        enabled: true,
        tlsClientAuth: true,
        selfSignedTlsClientAuth: true,
        getCertificate: ({ socket }) => shownOn(socket as TLSSocket),
        certificateAuthorized: ({ socket }) => (socket as TLSSocket).authorized,
        certificateSubjectMatches: ({ socket }, _property, expected) =>
          shownOn(socket as TLSSocket)?.subject === expected,
      },
    },
  });
  handle = provider.callback();
  return { issuer };
}

function shownOn(socket: TLSSocket): X509Certificate | undefined {
  const { raw } = socket.getPeerCertificate();
  return raw && new X509Certificate(raw);
}
