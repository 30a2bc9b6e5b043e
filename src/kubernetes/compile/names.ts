import { createHash } from 'node:crypto';

/** Longest name of a tool that all models take. */
const LONGEST = 64;

/**
 * The name under which a model calls an agent: `NAMESPACE__NAME` with `_` for `-`. Where that would be too long or
 * could be the name of another agent too, a digest makes it the agent's own.
 */
export function agentToolName(namespace: string, name: string): string {
  const plain = `${namespace}__${name}`.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=[0-9])/, '_');
  const unique = plain.length <= LONGEST && !/--|[.]/.test(`${namespace}/${name}`);
  if (unique) return plain;
  const digest = createHash('sha256').update(`${namespace}/${name}`).digest('hex').slice(0, 8);
  return `${plain.slice(0, LONGEST - 9)}_${digest}`;
}

/** Where an agent serves A2A, inside the cluster. */
export function agentUrl(namespace: string, name: string): string {
  return `http://${name}.${namespace}.svc:8080`;
}
