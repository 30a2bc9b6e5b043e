import { atAgent, type Context } from './context.ts';
import { keyReference } from './pod.ts';
import { below } from './report.ts';

/**
 * Checks the variables that the user adds to the pods: what they refer to must be there, and the pods roll when it
 * changes.
 */
export function checkEnvironment(context: Context): void {
  const { type, declarative, byo } = context.agent.spec;
  const env = (type === 'BYO' ? byo : declarative)?.deployment?.env ?? [];
  const at = atAgent(context, `spec.${type === 'BYO' ? 'byo' : 'declarative'}.deployment.env`);
  const taken = new Set(context.pod.variables().map(({ name }) => name));
  for (const [index, { name, valueFrom }] of env.entries()) {
    const here = below(at, index);
    if (taken.has(name)) {
      const message = `${name} is set already, by an earlier entry or by the API key of the model: take one of them out`;
      context.report(below(here, 'name'), 'Invalid', message);
    }
    taken.add(name);
    const { secretKeyRef, configMapKeyRef } = valueFrom ?? {};
    const from = below(here, 'valueFrom');
    if (secretKeyRef) context.pod.needs(keyReference('Secret', secretKeyRef, below(from, 'secretKeyRef')));
    if (configMapKeyRef) {
      context.pod.needs(keyReference('ConfigMap', configMapKeyRef, below(from, 'configMapKeyRef')));
    }
  }
}
