import { agent, mcpTool, modelConfig, namespaceOf, secret, server, tokenService } from '../controller-bed.ts';
import { converges } from './converged.ts';
import type { FaultBed } from './fault-bed.ts';

/** The value of every Secret here, which must be nowhere else. */
export const PLANTED = 'planted-not-a-real-secret';

export const named = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `agent-${index}`);

/** What the Agents of a namespace need. None of it makes the controller do anything outside of the cluster. */
export function ground(namespace: string): readonly unknown[] {
  const token = { token: PLANTED };
  return [
    secret(namespace, 'header', token),
    secret(namespace, 'client', token),
    secret(namespace, 'key', token),
    tokenService(namespace, {
      clientAuthentication: {
        method: 'client_secret_basic',
        clientSecretRef: { name: 'client', key: 'token' },
      },
    }),
    modelConfig(namespace, { apiKeySecret: 'key', apiKeySecretKey: 'token' }),
    server(namespace, 'mail', {
      stsAudience: 'mail',
      headersFrom: [{ name: 'X-Key', valueFrom: { type: 'Secret', name: 'header', key: 'token' } }],
    }),
  ];
}

/** An Agent that uses all of it. */
export function helper(namespace: string, name: string, systemMessage = 'Help.'): unknown {
  const deployment = {
    replicas: 1,
    labels: { tier: 'front' },
    env: [
      { name: 'MODE', value: 'quick' },
      { name: 'KEY', valueFrom: { secretKeyRef: { name: 'key', key: 'token' } } },
    ],
  };
  return agent(namespace, name, { systemMessage, tools: [mcpTool('mail')], deployment });
}

/** Makes a namespace with what Agents need, and these; resolves when the controller has done its part. */
export async function team(bed: FaultBed, name: string, ...objects: readonly unknown[]): Promise<void> {
  await bed.put(namespaceOf(name));
  await bed.put(...ground(name), ...objects);
  await converges(bed, name);
}

/** Whether the planted value is in a value, plain or in base64, at whatever place of a longer text. */
export function plantedIn(value: unknown): boolean {
  // Without its ends, which depend on what stands beside it.
  const encoded = [0, 1, 2].map((offset) =>
    Buffer.from(`${' '.repeat(offset)}${PLANTED}`)
      .toString('base64')
      .slice(4, -4),
  );
  return textsIn(value).some((text) => [PLANTED, ...encoded].some((needle) => text.includes(needle)));
}

/** All texts, and what those that may be base64 are decoded. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value, Buffer.from(value, 'base64').toString()];
  return typeof value === 'object' && value !== null ? Object.entries(value).flat().flatMap(textsIn) : [];
}
