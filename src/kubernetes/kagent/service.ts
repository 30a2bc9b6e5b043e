import { type JsonObject, listOf, member, objectOf, textMember } from './json.ts';
import { isPort } from './server-fields.ts';
import { complain, inner, type Spot, warn } from './spot.ts';

const PATH = 'kagent.dev/mcp-service-path';
const PORT = 'kagent.dev/mcp-service-port';
const PROTOCOL = 'kagent.dev/mcp-service-protocol';

/** The annotations by which a Service says that it is an MCP server. */
export const SERVICE_ANNOTATIONS: readonly string[] = [PATH, PORT, PROTOCOL];

/**
 * The spec of a server, of a Service that is one; `undefined` after a complaint.
 *
 * @param host - name of the Service in the cluster
 * @param spot - the top of the Service
 */
export function serviceSpec(service: JsonObject, host: string, spot: Spot): JsonObject | undefined {
  const annotations = objectOf(objectOf(service.metadata).annotations);
  const port = portOf(service, annotations, spot);
  const path = member(annotations, PATH) ?? '/mcp';
  const isPath = typeof path === 'string' && path.startsWith('/');
  // Anything else could begin with an @, which would make the name of the Service a user and the rest the host.
  if (!isPath) complain(annotationSpot(spot, PATH), 'Invalid', 'must begin with /');
  if (objectOf(service.spec).type === 'ExternalName') {
    const message =
      'is another host under a name of the cluster, to which tokens would go: write a RemoteMCPServer with its URL';
    complain(inner(spot, ['spec', 'type']), 'Unsupported', message);
  }
  if (port === undefined || !isPath) return undefined;
  return { url: `http://${host}:${port}${path}`, protocol: protocolOf(annotations, spot) };
}

function portOf(service: JsonObject, annotations: JsonObject, spot: Spot): number | undefined {
  const asked = textMember(annotations, PORT);
  if (asked !== undefined) {
    const port = /^[0-9]+$/.test(asked) ? Number(asked) : undefined;
    if (isPort(port)) return port;
    complain(annotationSpot(spot, PORT), 'Invalid', 'must be the number of a port, 1 to 65535');
    return undefined;
  }
  const ports = listOf(objectOf(service.spec).ports).map(objectOf);
  const isMcp = (port: JsonObject) => textMember(port, 'appProtocol')?.toLowerCase() === 'mcp';
  const port = (ports.length === 1 ? ports[0] : ports.find(isMcp))?.port;
  if (isPort(port)) return port;
  const message = `must have one port, or one with appProtocol mcp; or say it by the annotation ${PORT}`;
  complain(inner(spot, ['spec', 'ports']), 'Invalid', message);
  return undefined;
}

function protocolOf(annotations: JsonObject, spot: Spot): string {
  const protocol = member(annotations, PROTOCOL) ?? 'STREAMABLE_HTTP';
  if (protocol === 'SSE' || protocol === 'STREAMABLE_HTTP') return protocol;
  warn(annotationSpot(spot, PROTOCOL), 'is neither SSE nor STREAMABLE_HTTP: taken as STREAMABLE_HTTP');
  return 'STREAMABLE_HTTP';
}

/** Where an annotation is. */
export function annotationSpot(spot: Spot, name: string): Spot {
  return inner(spot, ['metadata', 'annotations', name]);
}
