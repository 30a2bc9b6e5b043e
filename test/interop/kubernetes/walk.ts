import * as fc from 'fast-check';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import { agent, type Bed, mcpTool, secret, server, tokenService } from './controller-bed.ts';

/** One thing that somebody does to the objects of a namespace. */
export type Step =
  | { readonly put: (namespace: string) => KubeObject }
  | {
      readonly remove: {
        readonly kind: 'Agent' | 'RemoteMCPServer' | 'Secret' | 'TokenService';
        readonly name: string;
      };
    }
  /** A child of an agent, which comes back. */
  | { readonly harm: { readonly kind: 'Deployment' | 'Secret' | 'Service'; readonly name: string } };

const AGENTS = ['one', 'two', 'three'] as const;
const SERVERS = ['mail', 'files'] as const;

const target = fc.constantFrom<object>(
  {},
  { stsAudience: 'a' },
  { stsAudience: 'b' },
  { tokenExchange: { scopes: ['read'] } },
  { tokenExchange: { audiences: ['c'], resources: ['urn:example:c'] } },
);
const headersFrom = [{ name: 'X-Key', valueFrom: { type: 'Secret', name: 'key', key: 'token' } }];

const putServer = fc.tuple(fc.constantFrom(...SERVERS), target, fc.boolean()).map(
  ([name, fields, withHeader]) =>
    (namespace: string) =>
      server(namespace, name, { ...fields, ...(withHeader ? { headersFrom } : {}) }),
);
const putAgent = fc
  .tuple(fc.constantFrom(...AGENTS), fc.subarray([...SERVERS]), target, fc.integer({ min: 0, max: 3 }))
  .map(
    ([name, servers, fields, replicas]) =>
      (namespace: string) =>
        agent(namespace, name, {
          tools: servers.map((one) => mcpTool(one, fields)),
          deployment: { replicas, ...(replicas === 3 ? { serviceAccountName: 'default' } : {}) },
        }),
  );
const putSecret = fc
  .nat(3)
  .map(
    (number) => (namespace: string) =>
      secret(namespace, 'key', number === 0 ? { other: 'x' } : { token: `not-a-real-token-${number}` }),
  );
const putService = fc.constant((namespace: string) => tokenService(namespace));

/** Any step, so that objects come, change and go in any order. */
export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: putAgent.map((put) => ({ put })) },
  { weight: 4, arbitrary: putServer.map((put) => ({ put })) },
  { weight: 2, arbitrary: putSecret.map((put) => ({ put })) },
  { weight: 2, arbitrary: putService.map((put) => ({ put })) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Step>(
      ...AGENTS.map((name) => ({ remove: { kind: 'Agent', name } as const })),
      ...SERVERS.map((name) => ({ remove: { kind: 'RemoteMCPServer', name } as const })),
      { remove: { kind: 'Secret', name: 'key' } },
      { remove: { kind: 'TokenService', name: 'default' } },
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('Deployment', 'Secret', 'Service'), fc.constantFrom(...AGENTS))
      .map(([kind, name]) => ({ harm: { kind, name } })),
  },
);

/** Does a step; it may find nothing to do. */
export async function take(bed: Bed, namespace: string, one: Step): Promise<void> {
  if ('put' in one) return bed.put(one.put(namespace));
  const { kind, name } = 'remove' in one ? one.remove : one.harm;
  await bed.delete(kind, `${namespace}/${name}`);
}

/** The objects that people made, as they are after the steps; by these, a fresh namespace comes to the same. */
export function remaining(namespace: string, steps: readonly Step[]): readonly KubeObject[] {
  const objects = new Map<string, KubeObject>();
  for (const one of steps) {
    if ('put' in one) {
      const object = one.put(namespace);
      const id = `${object.kind} ${object.metadata.name}`;
      // In another order it would be another test.
      objects.delete(id);
      objects.set(id, object);
    } else if ('remove' in one) objects.delete(`${one.remove.kind} ${one.remove.name}`);
  }
  return [...objects.values()];
}
