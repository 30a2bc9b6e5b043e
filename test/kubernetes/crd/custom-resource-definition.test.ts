import { describe, expect, test } from 'vitest';
import { KINDS, type Kind } from '../../../src/kubernetes/api/kinds.ts';
import {
  type CustomResourceDefinition,
  customResourceDefinitions,
} from '../../../src/kubernetes/crd/custom-resource-definition.ts';
import type { StructuralSchema } from '../../../src/kubernetes/crd/structural.ts';

const DEFINITIONS = customResourceDefinitions();

test('there is one for each kind, sorted', () => {
  expect(DEFINITIONS.map(({ spec }) => spec.names.kind)).toEqual(Object.keys(KINDS).sort());
});

test('it is the same each time', () => {
  expect(JSON.stringify(customResourceDefinitions())).toBe(JSON.stringify(DEFINITIONS));
});

describe.each(DEFINITIONS)('$metadata.name', ({ metadata, spec }: CustomResourceDefinition) => {
  const { kind, plural } = spec.names;
  const info = KINDS[kind as Kind];
  const [version, ...others] = spec.versions;
  const { openAPIV3Schema: schema } = version?.schema ?? {};

  test('is namespaced, in one version, with a status of its own', () => {
    expect(metadata.name).toBe(`${plural}.onbehalf.dev`);
    expect(spec).toMatchObject({ group: 'onbehalf.dev', scope: 'Namespaced' });
    expect(others).toEqual([]);
    expect(version).toMatchObject({
      name: 'v1alpha1',
      served: true,
      storage: true,
      subresources: { status: {} },
    });
  });

  test('has its names, and is one of the category onbehalf', () => {
    const { singular, shortNames } = info;
    const categories = ['onbehalf'];
    expect(spec.names).toEqual({ kind, listKind: `${kind}List`, plural, singular, shortNames, categories });
  });

  test('must have a spec, and has columns of fields that there are', () => {
    expect(schema?.required).toEqual(['spec']);
    const { additionalPrinterColumns: columns = [] } = version ?? {};
    for (const { jsonPath } of columns) {
      const [, first = '', second = ''] = jsonPath.replace(/\[.*/, '').split('.');
      if (first !== 'metadata') expect(schema?.properties?.[first]?.properties).toHaveProperty([second]);
    }
    expect(columns.map(({ name }) => name)).toContain('Ready');
    expect(columns.at(-1)?.name).toBe('Age');
  });

  test('describes itself and each field', () => {
    expect(schema?.description).toBe(info.description);
    expect(undescribed(schema as StructuralSchema, kind)).toEqual([`${kind}.metadata`]);
  });

  test('has a type at each node, and a bound on each text, list and map', () => {
    expect(walk(schema as StructuralSchema).filter(([, { type }]) => typeof type !== 'string')).toEqual([]);
    const unbounded = walk(schema?.properties?.spec as StructuralSchema).filter(
      ([, node]) => !isBounded(node),
    );
    expect(unbounded.map(([path]) => path)).toEqual([]);
  });

  test('fills in defaults that are taken, and complete', () => {
    for (const [path, node] of walk(schema as StructuralSchema)) {
      if (node.default === undefined || node.type !== 'object') continue;
      const missing = Object.entries(node.properties ?? {})
        .filter(
          ([name, { default: value }]) => value !== undefined && !Object.hasOwn(node.default as object, name),
        )
        .map(([name]) => `${path}.${name}`);
      expect(missing).toEqual([]);
      expect(Object.keys(node.properties ?? {})).toEqual(
        expect.arrayContaining(Object.keys(node.default as object)),
      );
    }
  });
});

type Located = readonly [path: string, node: StructuralSchema];

function walk(node: StructuralSchema, path = ''): readonly Located[] {
  const { properties = {}, items, additionalProperties } = node;
  return [
    [path, node],
    ...Object.entries(properties).flatMap(([name, inner]) => walk(inner, `${path}.${name}`)),
    ...(items === undefined ? [] : walk(items, `${path}[]`)),
    ...(additionalProperties === undefined ? [] : walk(additionalProperties, `${path}.*`)),
  ];
}

function undescribed(schema: StructuralSchema, at: string): readonly string[] {
  return walk(schema, at)
    .filter(([path]) => /\.\w+$/.test(path))
    .filter(([, { description }]) => !/^\S.*\.$/.test(description ?? ''))
    .map(([path]) => path);
}

function isBounded(node: StructuralSchema): boolean {
  if (node.type === 'string')
    return node.maxLength !== undefined || node.enum !== undefined || node.format !== undefined;
  if (node.type === 'array') return node.maxItems !== undefined;
  return node.additionalProperties === undefined || node.maxProperties !== undefined;
}
