import { wholeDuration } from './duration.ts';
import { type Fields, left, mapped, mappedUnlessEmpty, refused, warned, within } from './fields.ts';
import { type JsonObject, member, objectOf } from './json.ts';
import { targetFields, tls } from './shared-fields.ts';
import { complain, inner, type Spot } from './spot.ts';

const duration = (name: string) => mapped(name, wholeDuration);

/** Fields of `spec` of a RemoteMCPServer. */
export const remoteServerFields: Fields = {
  description: mapped(),
  protocol: mappedUnlessEmpty(),
  url: mapped(),
  headersFrom: mapped(),
  timeout: duration('timeout'),
  sseReadTimeout: duration('sseReadTimeout'),
  terminateOnClose: mapped(),
  allowedNamespaces: mapped(),
  tls,
  ...targetFields,
};

/** Fields of `spec` of a MCPServer: kmcp goes on to run it, so that most of them are its own. */
export const mcpServerFields: Fields = {
  deployment: left,
  transportType: left,
  stdioTransport: left,
  httpTransport: within({
    targetPort: left,
    path: warned('has no effect: kmcp serves at /mcp, as kagent has it', (path) => path === '/mcp'),
    tls: refused('cannot be had here: write a RemoteMCPServer with the https URL and its tls'),
  }),
  timeout: duration('timeout'),
  runtime: refused(
    'has no Service whose URL is known: write a RemoteMCPServer with the URL',
    (value) => value === 'kubernetes',
  ),
  substrate: left,
  authn: left,
  authz: left,
  routeFilter: left,
  ...targetFields,
};

/** What the CRD of kmcp fills in. */
const KMCP_PORT = 3000;

/** The URL that kmcp serves an MCPServer at, or `undefined` after a complaint. */
export function mcpServerUrl(spec: JsonObject, host: string, spot: Spot): string | undefined {
  const port = member(objectOf(spec.deployment), 'port') ?? KMCP_PORT;
  if (isPort(port)) return `http://${host}:${port}/mcp`;
  complain(inner(spot, ['deployment', 'port']), 'Invalid', 'must be the port of the server, 1 to 65535');
  return undefined;
}

/** Whether a value is the number of a TCP port. */
export function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535;
}
