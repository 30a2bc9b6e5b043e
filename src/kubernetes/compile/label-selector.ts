import type { LabelRequirement, LabelSelector } from '../api/references.ts';

type Labels = Readonly<Record<string, string>>;

/**
 * Whether labels match a `metav1.LabelSelector`: all of its labels and requirements hold. An empty one matches all.
 * A requirement that Kubernetes calls invalid matches nothing: In and NotIn need values, the others take none.
 */
export function matchesSelector(selector: LabelSelector, labels: Labels): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    Object.entries(matchLabels).every(([key, value]) => labelOf(labels, key) === value) &&
    matchExpressions.every((requirement) => isMet(requirement, labels))
  );
}

/** Whether Kubernetes would take the requirement. */
function isValid({ operator, values = [] }: LabelRequirement): boolean {
  return (operator === 'In' || operator === 'NotIn') === values.length > 0;
}

function isMet(requirement: LabelRequirement, labels: Labels): boolean {
  if (!isValid(requirement)) return false;
  const { key, operator, values = [] } = requirement;
  const value = labelOf(labels, key);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

/** Own members only: a label may be called as what every object inherits. */
function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
