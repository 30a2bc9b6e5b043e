import { type AllowedNamespaces, allowedNamespaces, type LabelSelector } from '../api/references.ts';
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
 * namespace are looked up only where they matter.
 *
 * The words are the same whatever the reason, also where there is no object: who may not use it is not told of it.
 *
 * @param allowed - what the object permits; `undefined`: its own namespace only, or there is no object
 */
export function refusal(
  allowed: AllowedNamespaces | undefined,
  { to, from }: Crossing,
  lookUp: LookUp,
): string | undefined {
  if (to === from || allowed?.from === 'All') return undefined;
  const labels = lookUp.namespaceLabels(from);
  const selector = allowed?.from === 'Selector' ? (allowed.selector ?? {}) : undefined;
  if (selector !== undefined && permits(selector, { from, labels })) return undefined;
  const why = `there is none, or it does not permit namespace ${from} (spec.allowedNamespaces)`;
  return labels === undefined
    ? `${why}; no selector permits it while its labels are not known: add the manifest of that Namespace`
    : why;
}

/** The label that every namespace has, and that says its name. */
const NAME_LABEL = 'kubernetes.io/metadata.name';

/** Labels that are not known are not absent: then only a selector that asks for nothing but the name can be judged. */
function permits(
  selector: LabelSelector,
  { from, labels }: { readonly from: string; readonly labels: ReturnType<LookUp['namespaceLabels']> },
): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  const keys = [...Object.keys(matchLabels), ...matchExpressions.map(({ key }) => key)];
  const known = labels ?? (keys.every((key) => key === NAME_LABEL) ? { [NAME_LABEL]: from } : undefined);
  return known !== undefined && matchesSelector(selector, known);
}

/** What an object permits, which is read before anything else of it; what is not valid permits nobody. */
export function allowedBy(object: unknown): AllowedNamespaces | undefined {
  const { spec } = (object ?? {}) as { readonly spec?: { readonly allowedNamespaces?: unknown } | null };
  return allowedNamespaces.safeParse(spec?.allowedNamespaces).data;
}
