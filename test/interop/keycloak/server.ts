import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import type { TestProject } from 'vitest/node';
import { javaHome } from '../support/java.ts';
import { freePort, type KeptServer, startKept } from '../support/kept-server.ts';
import { serverMissing } from '../support/missing.ts';
import { keycloakHome } from './distribution.ts';
import { REALM, realm, secretOf } from './realm.ts';

/** The running server, as tests need it. */
export interface Keycloak {
  readonly origin: string;
  /** Issuer of the realm. */
  readonly issuer: string;
  /** Private key of the client `agent-jwt`. */
  readonly agentKey: JWK;
  /** The cluster whose service accounts are known here, and the key that it signs their tokens with. */
  readonly cluster: { readonly issuer: string; readonly key: JWK };
}

declare module 'vitest' {
  interface ProvidedContext {
    keycloak: Keycloak | undefined;
  }
}

const JAVA = 17;
const JAVA_OPTS = [
  // It runs for a minute: what the second compiler gains later does not repay what it takes at the start.
  '-XX:TieredStopAtLevel=1',
  '-XX:+UseSerialGC',
  '-XX:+ExitOnOutOfMemoryError',
  '-Xms256m',
  '-Xmx512m',
];

/** Vitest's global setup: starts Keycloak, and stops it after the last test. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const agentKey = await signingKey('agent-jwt');
  const clusterKey = await signingKey('cluster');
  const cluster = await startCluster(clusterKey.publicJwk);
  const close = (): void => void cluster.server.close();
  const home = await findHome(agentKey.publicJwk, cluster.issuer);
  if (home === undefined) {
    provide('keycloak', undefined);
    return async () => close();
  }
  const { origin, server } = await start(home);
  provide('keycloak', {
    origin,
    issuer: `${origin}/realms/${REALM}`,
    agentKey: agentKey.privateJwk,
    cluster: { issuer: cluster.issuer, key: clusterKey.privateJwk },
  });
  return async () => {
    await server.stop();
    close();
  };
}

interface Home {
  readonly path: string;
  readonly java: string;
}

/** Java and Keycloak, or nothing where they cannot be had and are not required. */
async function findHome(agentKey: JWK, clusterIssuer: string): Promise<Home | undefined> {
  try {
    const java = await javaHome(JAVA);
    return { path: await keycloakHome(realm({ agentKey, clusterIssuer }), java), java };
  } catch (error) {
    serverMissing('Keycloak', error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

async function start(home: Home): Promise<{ readonly origin: string; readonly server: KeptServer }> {
  const port = await freePort();
  const began = Date.now();
  const server = await startKept(
    [
      join(home.path, 'bin/kc.sh'),
      ...['start', '--optimized', '--import-realm', '--cache=local'],
      ...['--http-enabled=true', '--http-host=127.0.0.1', `--http-port=${port}`, '--hostname-strict=false'],
    ],
    {
      ready: /Bootstrap completed/,
      startMs: 300_000,
      folder: home.path,
      env: {
        JAVA_HOME: home.java,
        JAVA_OPTS: JAVA_OPTS.join(' '),
        KC_BOOTSTRAP_ADMIN_USERNAME: 'admin',
        KC_BOOTSTRAP_ADMIN_PASSWORD: secretOf('admin'),
      },
    },
  );
  console.error(`Keycloak started in ${((Date.now() - began) / 1000).toFixed(1)} s`);
  return { origin: `http://127.0.0.1:${port}`, server };
}

async function signingKey(kid: string): Promise<{ readonly publicJwk: JWK; readonly privateJwk: JWK }> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const more = { kid, alg: 'RS256', use: 'sig' };
  return {
    publicJwk: { ...(await exportJWK(publicKey)), ...more },
    privateJwk: { ...(await exportJWK(privateKey)), ...more },
  };
}

/** What a Kubernetes API server says about the issuer of its service account tokens. */
async function startCluster(key: JWK): Promise<{ readonly issuer: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    const answer =
      request.url === '/.well-known/openid-configuration'
        ? { issuer, jwks_uri: `${issuer}/openid/v1/jwks` }
        : { keys: [key] };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  // It never keeps this process, which ends when the tests have.
  server.unref();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { issuer, server };
}
