import { clientCredentialsActor } from '../core/actor.ts';
import { isOnbehalfError } from '../core/errors.ts';
import type { TokenService } from '../core/token-service-handle.ts';
import type { RemoteMCPServer } from '../kubernetes/api/remote-mcp-server.ts';
import { secondsOf } from '../kubernetes/compile/duration.ts';
import type { ListTools } from '../kubernetes/controller/reconciler.ts';
import { tryInTurn, type Who } from '../mcp/discovery.ts';
import { createDiscoverySessions } from '../mcp/discovery-session.ts';
import { ANONYMOUS, createAgentIdentities } from '../mcp/identity.ts';
import { defineMcpServer, type McpServer } from '../mcp/server.ts';

/** Longest listing, in seconds, whatever the server's `timeout`. */
const LONGEST_SECONDS = 60;

/**
 * Lists tools of MCP servers for `publishTools`, as nobody; where the server asks for more, as the client that the
 * controller is at its own STS, with a token for the URL of that server (RFC 8707), so that whoever writes down a URL
 * gets no token that is of use elsewhere.
 *
 * @param service - the controller's registration at an STS; `undefined`: it has none
 */
export function createToolLister(service: TokenService | undefined): ListTools {
  const identities = createAgentIdentities();
  return async (object, signal) => {
    assertListable(object);
    const server = serverOf(object, service !== undefined);
    const seconds = Math.min(secondsOf(object.spec.timeout) ?? LONGEST_SECONDS, LONGEST_SECONDS);
    const timeout = AbortSignal.timeout(seconds * 1000);
    const credential = service && clientCredentialsActor(service, { resource: server.url.href });
    try {
      return await list(server, credential && identities(credential), AbortSignal.any([signal, timeout]));
    } catch (error) {
      if (timeout.aborted && !signal.aborted) throw new Error(`it did not answer within ${seconds} s`);
      throw explained(error, object);
    }
  };
}

async function list(
  server: McpServer,
  own: ReturnType<ReturnType<typeof createAgentIdentities>> | undefined,
  signal: AbortSignal,
): ReturnType<ListTools> {
  const sessions = createDiscoverySessions({ onToolsChanged: () => {}, idleMs: 1_000, maxSessions: 2 });
  const whos: readonly Who[] = own ? ['anonymous', 'agent'] : ['anonymous'];
  try {
    const tools = await tryInTurn(whos, undefined, (who) =>
      sessions.list(server, who === 'agent' && own ? own : ANONYMOUS, signal),
    );
    return tools.map(({ name, description }) => ({ name, description }));
  } finally {
    await sessions.close();
  }
}

/** What the controller cannot do: it reads no Secret. */
function assertListable({ spec }: RemoteMCPServer): void {
  const off = 'set publishTools to false';
  if (spec.protocol === 'SSE') throw new Error(`tools are not listed over the protocol SSE: ${off}`);
  if (spec.tls?.caCertSecretRef !== undefined || spec.tls?.disableVerify) {
    const how = 'trust the CA in the image of the controller (NODE_EXTRA_CA_CERTS) and leave out tls';
    throw new Error(`the controller verifies certificates, and reads no Secret with a CA: ${off}, or ${how}`);
  }
}

function serverOf({ metadata, spec }: RemoteMCPServer, hasCredential: boolean): McpServer {
  const headers = (spec.headersFrom ?? []).flatMap(({ name, value }) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return defineMcpServer({
    url: spec.url,
    target: spec.url,
    name: `${metadata.namespace}/${metadata.name}`,
    headers: Object.fromEntries(headers),
    // Without a token nothing is sent that is not in the object for all to see.
    dangerouslyAllowInsecureHttp: spec.dangerouslyAllowInsecureHTTP || !hasCredential,
  });
}

function explained(error: unknown, { spec }: RemoteMCPServer): unknown {
  if (!isOnbehalfError(error))
    return new Error('its tools cannot be listed: it does not answer as an MCP server');
  const secret = spec.headersFrom?.some(({ valueFrom }) => valueFrom?.type === 'Secret');
  const hint = secret
    ? '; the controller reads no Secret, so it has sent none of the headers that are in one'
    : '';
  return new Error(`its tools cannot be listed: ${error.message}${hint}`);
}
