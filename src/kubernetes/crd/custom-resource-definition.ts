import { KINDS, type Kind, type KindInfo, type PrinterColumn } from '../api/kinds.ts';
import { GROUP, VERSION } from '../api/meta.ts';
import { type StructuralSchema, structuralSchema } from './structural.ts';

/** A `CustomResourceDefinition` of `apiextensions.k8s.io/v1`, as far as ours go. */
export interface CustomResourceDefinition {
  readonly apiVersion: 'apiextensions.k8s.io/v1';
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly scope: 'Namespaced';
    readonly names: {
      readonly kind: Kind;
      readonly listKind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames: readonly string[];
      readonly categories: readonly string[];
    };
    readonly versions: readonly CrdVersion[];
  };
}

/** A version of a {@link CustomResourceDefinition}. */
export interface CrdVersion {
  readonly name: string;
  readonly served: true;
  readonly storage: true;
  readonly subresources: { readonly status: object };
  readonly additionalPrinterColumns: readonly PrinterColumn[];
  readonly schema: { readonly openAPIV3Schema: StructuralSchema };
}

/**
 * The CRDs of all kinds, sorted by kind. The same for the same code: they are generated into `deploy/crds`.
 *
 * @throws TypeError where a schema cannot be said in a CRD
 */
export function customResourceDefinitions(): readonly CustomResourceDefinition[] {
  return Object.entries(KINDS)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([kind, info]) => definitionOf(kind as Kind, info));
}

function definitionOf(kind: Kind, info: KindInfo): CustomResourceDefinition {
  const { plural, singular, shortNames } = info;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames, categories: ['onbehalf'] },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: info.columns,
          schema: { openAPIV3Schema: schemaOf(kind, info) },
        },
      ],
    },
  };
}

function schemaOf(kind: Kind, info: KindInfo): StructuralSchema {
  const spec = structuralSchema(info.spec, `${kind}.spec`);
  const status = structuralSchema(info.status, `${kind}.status`);
  return {
    type: 'object',
    description: info.description,
    required: ['spec'],
    properties: {
      apiVersion: {
        type: 'string',
        description: `Version of the schema of the object: ${GROUP}/${VERSION}.`,
      },
      kind: { type: 'string', description: `Kind of the object: ${kind}.` },
      metadata: { type: 'object' },
      spec: { description: 'What is wanted.', ...spec },
      status: { description: 'What the controller has found out. Nobody else writes it.', ...status },
    },
  };
}
