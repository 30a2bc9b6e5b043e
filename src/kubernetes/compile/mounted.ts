import type { Context } from './context.ts';
import { textOf } from './dependencies.ts';
import type { DataReference } from './pod.ts';

/**
 * Absolute path in the pod of what a Secret or ConfigMap holds that an object of any namespace refers to. A pod can
 * mount those of its own namespace only.
 *
 * @param wayOut - what to do where it is in another namespace
 * @returns `undefined`: it is, and that has been reported
 */
export function mounted(context: Context, reference: DataReference, wayOut: string): string | undefined {
  const { kind, name, nameAt } = reference;
  const { namespace } = nameAt.object;
  if (namespace === context.namespace) return context.pod.file(reference);
  const data = textOf({ kind, namespace, name });
  const why = `${data} cannot be mounted by pods of namespace ${context.namespace}, where ${textOf(context.key)} is`;
  context.report(nameAt, 'NotPermitted', `${why}: ${wayOut}`);
  return undefined;
}
