import { isOnbehalfError } from '../core/errors.ts';
import { isLoopback } from '../core/secure-url.ts';
import type { TokenService } from '../core/token-service-handle.ts';
import type { DiscoveredTool, RemoteMCPServer } from '../kubernetes/api/remote-mcp-server.ts';
import { secondsOf } from '../kubernetes/compile/duration.ts';
import type { ListTools } from '../kubernetes/controller/reconciler.ts';
import { tryInTurn, type Who } from '../mcp/discovery.ts';
import { createDiscoverySessions } from '../mcp/discovery-session.ts';
import { ANONYMOUS, createAgentIdentities, type Identity } from '../mcp/identity.ts';
import { defineMcpServer, type McpServer } from '../mcp/server.ts';
import { listingCredential } from './controller-credential.ts';
import { type CountedFetch, countedFetch } from './counted-fetch.ts';

/** Longest listing, in seconds, whatever the server's `timeout`. */
const LONGEST_SECONDS = 60;
/** Most that a server may say in one listing: several are under way, in a pod with little memory. */
const MOST_MIB = 4;
/** What the status has room for. */
const MOST_TOOLS = 1_000;
const LONGEST_NAME = 256;
const LONGEST_DESCRIPTION = 1_024;

/**
 * Lists tools of MCP servers for `publishTools`, as nobody; where the server asks for more, as the client that the controller is
 * at its own STS, with a token for that server alone, so that whoever writes down a URL gets no token that is of use elsewhere.
 * What a server says is bounded, and of what it said only what is given back stays in memory.
 *
 * @param service - the controller's registration at an STS; `undefined`: it has none
 */
export function createToolLister(service: TokenService | undefined): ListTools {
  const identities = createAgentIdentities();
  return async (object, signal) => {
    assertListable(object);
    const counted = countedFetch(MOST_MIB * 2 ** 20);
    const server = serverOf(object, counted);
    const seconds = Math.min(secondsOf(object.spec.timeout) ?? LONGEST_SECONDS, LONGEST_SECONDS);
    const timeout = AbortSignal.timeout(seconds * 1000);
    const own = service && identities(listingCredential(service, server.url));
    try {
      return await list(server, own, AbortSignal.any([signal, timeout, counted.signal]));
    } catch (error) {
      signal.throwIfAborted();
      if (counted.signal.aborted) {
        throw new Error(`its tools cannot be listed: it said more than ${MOST_MIB} MiB`);
      }
      if (timeout.aborted) throw new Error(`it did not answer within ${seconds} s`);
      throw explained(error, object);
    }
  };
}

async function list(
  server: McpServer,
  own: Identity | undefined,
  signal: AbortSignal,
): ReturnType<ListTools> {
  const sessions = createDiscoverySessions({ onToolsChanged: () => {}, idleMs: 1_000, maxSessions: 2 });
  const whos: readonly Who[] = own ? ['anonymous', 'agent'] : ['anonymous'];
  try {
    const tools = await tryInTurn(whos, undefined, (who) =>
      sessions.list(server, who === 'agent' && own ? own : ANONYMOUS, signal),
    );
    return tools.filter(fits).slice(0, MOST_TOOLS).map(kept);
  } finally {
    await sessions.close();
  }
}

const fits = ({ name }: DiscoveredTool): boolean => name !== '' && name.length <= LONGEST_NAME;

function kept({ name, description }: DiscoveredTool): DiscoveredTool {
  return description === undefined
    ? { name: copyOf(name) }
    : { name: copyOf(name), description: copyOf(description.slice(0, LONGEST_DESCRIPTION)) };
}

/** A text of its own: a part of a longer text keeps all of that in memory. */
function copyOf(text: string): string {
  return Buffer.from(text).toString();
}

/** What the controller cannot do: it reads no Secret. */
function assertListable({ spec }: RemoteMCPServer): void {
  const off = 'set publishTools to false';
  if (spec.protocol === 'SSE') throw new Error(`tools are not listed over the protocol SSE: ${off}`);
  if (spec.tls?.caCertSecretRef !== undefined || spec.tls?.disableVerify) {
    const how = 'trust the CA in the image of the controller (NODE_EXTRA_CA_CERTS) and leave out tls';
    throw new Error(`the controller verifies certificates, and reads no Secret with a CA: ${off}, or ${how}`);
  }
  const { protocol, hostname } = new URL(spec.url);
  if (protocol === 'http:' && !isLoopback(hostname) && !spec.dangerouslyAllowInsecureHTTP) {
    const how = 'use https, or set dangerouslyAllowInsecureHTTP where the network is trusted';
    throw new Error(`tools are not listed over plain http: ${off}, or ${how}`);
  }
}

function serverOf({ metadata, spec }: RemoteMCPServer, { fetch }: CountedFetch): McpServer {
  const headers = (spec.headersFrom ?? []).flatMap(({ name, value }) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return defineMcpServer({
    url: spec.url,
    target: spec.url,
    name: `${metadata.namespace}/${metadata.name}`,
    headers: Object.fromEntries(headers),
    dangerouslyAllowInsecureHttp: spec.dangerouslyAllowInsecureHTTP,
    fetch,
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
