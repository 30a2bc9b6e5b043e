// What the API server itself counted.
import type { ControlPlane } from '../../../test/interop/support/kube-control-plane.ts';

const SAMPLE = /^apiserver_request_total\{([^}]*)\} (\S+)$/gm;
const WRITES = new Set(['POST', 'PUT', 'PATCH', 'APPLY', 'DELETE']);
/** The control plane writes these itself, as does leader election. */
const NOT_OURS = new Set(['leases', 'endpointslices', 'endpoints', 'apiservices', 'ipaddresses', 'events']);

/** Writes that it has carried out, of the resources that the controller is for: children, and statuses of our kinds. */
export async function writesOf(plane: ControlPlane): Promise<ReadonlyMap<string, number>> {
  const { body } = await plane.api('GET', '/metrics');
  const counts = new Map<string, number>();
  for (const [, labels = '', value] of String(body).matchAll(SAMPLE)) {
    const label = (name: string): string => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
    if (!WRITES.has(label('verb')) || !label('code').startsWith('2')) continue;
    const resource = [label('resource'), label('subresource')].filter(Boolean).join('/');
    if (NOT_OURS.has(label('resource'))) continue;
    counts.set(resource, (counts.get(resource) ?? 0) + Number(value));
  }
  return counts;
}

/** How much was written between two counts, by resource; what was not written is left out. */
export function difference(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Readonly<Record<string, number>> {
  const more = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(more.filter(([, count]) => count > 0));
}
