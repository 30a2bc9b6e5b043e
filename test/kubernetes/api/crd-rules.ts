import type { Kind } from '../../../src/kubernetes/api/kinds.ts';
import { customResourceDefinitions } from '../../../src/kubernetes/crd/custom-resource-definition.ts';
import type { StructuralSchema } from '../../../src/kubernetes/crd/structural.ts';
import type { Finding } from './verdict.ts';

/** Each rule of each CRD, as `Kind spec.tools[]: message`. */
export function crdRules(): readonly string[] {
  return customResourceDefinitions().flatMap(({ spec }) => {
    const [version] = spec.versions;
    return version === undefined ? [] : rulesOf(version.schema.openAPIV3Schema, `${spec.names.kind} `);
  });
}

function rulesOf(schema: StructuralSchema, at: string): string[] {
  const { items, additionalProperties, properties = {} } = schema;
  const below = Object.entries(properties).flatMap(([name, inner]) => {
    return rulesOf(inner, at.endsWith(' ') ? at + name : `${at}.${name}`);
  });
  return [
    ...(schema['x-kubernetes-validations'] ?? []).map(({ message }) => `${at}: ${message}`),
    ...below,
    ...(items === undefined ? [] : rulesOf(items, `${at}[]`)),
    ...(additionalProperties === undefined ? [] : rulesOf(additionalProperties, `${at}.*`)),
  ];
}

/** The rule that a finding is about, named as {@link crdRules} does. */
export function ruleOf(kind: Kind, { field, message }: Pick<Finding, 'field' | 'message'>): string {
  return `${kind} ${field.replace(/\[\d+\]/g, '[]')}: ${message}`;
}
