import type { AllowedNamespaces } from '../api/references.ts';
import { matchesSelector } from './label-selector.ts';
import type { LookUp } from './types.ts';

/** Who wants to use an object, and where that object is. */
export interface Crossing {
  /** Namespace of the object that is referred to. */
  readonly to: string;
  /** Namespace of the Agent. */
  readonly from: string;
}

/**
 * Why an object may not be used from a namespace; `undefined`: it may. Its own namespace always may. The labels of a
 * namespace are looked up only where a selector asks for them.
 */
export function refusal(
  allowed: AllowedNamespaces | undefined,
  { to, from }: Crossing,
  lookUp: LookUp,
): string | undefined {
  if (to === from || allowed?.from === 'All') return undefined;
  const wayOut = 'set its spec.allowedNamespaces to permit it';
  if (allowed?.from !== 'Selector') {
    return `it may be used in namespace ${to} only, not in ${from}: ${wayOut}, or use one of namespace ${from}`;
  }
  const labels = lookUp.namespaceLabels(from);
  if (labels === undefined) {
    return `its spec.allowedNamespaces.selector cannot be judged, because the labels of namespace ${from} are not known: add the manifest of that Namespace`;
  }
  if (matchesSelector(allowed.selector ?? {}, labels)) return undefined;
  return `its spec.allowedNamespaces.selector does not match the labels of namespace ${from}: label the namespace, or ${wayOut}`;
}
