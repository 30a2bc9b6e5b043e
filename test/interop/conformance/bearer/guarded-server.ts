import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import type { OAuthTokenVerifier } from '@modelcontextprotocol/sdk/server/auth/provider.js';
import {
  getOAuthProtectedResourceMetadataUrl,
  mcpAuthMetadataRouter,
} from '@modelcontextprotocol/sdk/server/auth/router.js';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { onTestFinished } from 'vitest';
import type { DevelopmentSts } from '../../../../src/sts/index.ts';
import { createVerifier } from '../parts.ts';

/** An MCP server whose gate is the version 1 SDK's own bearer middleware. */
export interface GuardedServer {
  readonly url: string;
  /** Calls that were carried out: `sub by actor`. */
  readonly calls: readonly string[];
  /** What the middleware answered: `401 initialize`, say. Of what it let through, nothing. */
  readonly refusals: readonly string[];
  /** Times that the RFC 9728 metadata was asked for. */
  readonly metadataRequests: number;
  /** Lets it answer: its address is known before the STS is, which has to know it. */
  guard(sts: DevelopmentSts, requiredScopes?: readonly string[]): Promise<void>;
}

/** Starts a server on loopback; stopped after the test. */
export async function startGuardedServer(): Promise<GuardedServer> {
  const calls: string[] = [];
  const refusals: string[] = [];
  let metadataRequests = 0;
  const http = createServer();
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
  return {
    url,
    calls,
    refusals,
    get metadataRequests() {
      return metadataRequests;
    },
    async guard(sts, requiredScopes = []) {
      const app = createMcpExpressApp();
      const oauthMetadata = await metadataOf(sts);
      app.use((request, _response, next) => {
        if (request.path.startsWith('/.well-known/oauth-protected-resource')) metadataRequests += 1;
        next();
      });
      app.use(mcpAuthMetadataRouter({ oauthMetadata, resourceServerUrl: new URL(url) }));
      app.use('/mcp', (request, response, next) => {
        response.on('finish', () => {
          if (response.statusCode === 401 || response.statusCode === 403) {
            refusals.push(`${response.statusCode} ${request.body?.method ?? request.method}`);
          }
        });
        next();
      });
      app.use(
        '/mcp',
        requireBearerAuth({
          verifier: verifierFor(sts, url),
          requiredScopes: [...requiredScopes],
          resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(new URL(url)),
          expectedResource: new URL(url),
        }),
      );
      app.all(
        '/mcp',
        createHandler((call) => calls.push(call)),
      );
      http.on('request', app);
    },
  };
}

async function metadataOf(
  sts: DevelopmentSts,
): Promise<Parameters<typeof mcpAuthMetadataRouter>[0]['oauthMetadata']> {
  const response = await fetch(`${sts.issuer}/.well-known/openid-configuration`);
  return (await response.json()) as Awaited<ReturnType<typeof metadataOf>>;
}

function verifierFor(sts: DevelopmentSts, url: string): OAuthTokenVerifier {
  const verify = createVerifier(sts, url);
  return {
    async verifyAccessToken(token) {
      const caller = await verify(token).catch(() => {
        throw new InvalidTokenError('the token is not for this server');
      });
      const { sub, actor, scopes, expiresAt } = caller;
      const resource = new URL(url);
      return {
        token,
        clientId: actor ?? sub,
        scopes: [...scopes],
        expiresAt,
        resource,
        extra: { sub, actor },
      };
    },
  };
}

type Handler = ReturnType<typeof requireBearerAuth>;

/** Sessions as the SDK's documentation has them, and one tool that says who calls. */
function createHandler(onCall: (call: string) => void): Handler {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const open = async (): Promise<StreamableHTTPServerTransport> => {
    const server = new McpServer({ name: 'guarded', version: '1.0.0' });
    server.registerTool('whoami', { description: 'Says who calls.' }, ({ authInfo }) => {
      const call = `${authInfo?.extra?.sub} by ${authInfo?.extra?.actor}`;
      onCall(call);
      return { content: [{ type: 'text', text: call }] };
    });
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void transports.set(id, transport),
    });
    // Its type is not exact about optional members, and ours is.
    await server.connect(transport as Parameters<McpServer['connect']>[0]);
    return transport;
  };
  return async (request, response) => {
    const id = request.headers['mcp-session-id'];
    const known = typeof id === 'string' ? transports.get(id) : undefined;
    if (id !== undefined && known === undefined) {
      response.status(404).end();
      return;
    }
    await (known ?? (await open())).handleRequest(request, response, request.body);
  };
}
