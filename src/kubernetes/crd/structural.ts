import * as z from 'zod';
import { hasBounds, MARGINS, type Node } from './bounds.ts';
import { foreignPattern } from './pattern.ts';

/** A structural schema: what a CRD can say (`apiextensions.k8s.io/v1` JSONSchemaProps, a subset). */
export interface StructuralSchema {
  readonly type: string;
  readonly description?: string | undefined;
  readonly default?: unknown;
  readonly required?: readonly string[] | undefined;
  readonly properties?: Readonly<Record<string, StructuralSchema>> | undefined;
  readonly additionalProperties?: StructuralSchema | undefined;
  readonly items?: StructuralSchema | undefined;
  readonly 'x-kubernetes-validations'?: readonly CelRule[] | undefined;
  readonly [keyword: string]: unknown;
}

/** A rule that the API server checks. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
}

const TYPES = ['object', 'array', 'string', 'integer', 'number', 'boolean'];

/** Taken over as they are. What is neither here nor handled below cannot be said in a CRD. */
const KEPT = new Set([
  ...['type', 'description', 'default', 'enum', 'format', 'pattern', 'required', 'minimum', 'maximum'],
  ...['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'],
  ...['x-kubernetes-validations', 'x-kubernetes-list-type', 'x-kubernetes-list-map-keys'],
  ...['x-kubernetes-map-type'],
]);

/**
 * The schema of what a person writes (defaults not yet filled in), in the form that a CRD needs: a type at each node,
 * no choice between schemas, no reference. The API server itself prunes or refuses unknown fields, so that
 * `additionalProperties: false` is left out.
 *
 * @param at - where the schema stands, for messages
 * @throws TypeError that names the path of a feature that the API server has not, of a field that nobody described, and
 *   of a text, list or map of any size: the cost of a rule would have no bound
 */
export function structuralSchema(schema: z.ZodType, at: string): StructuralSchema {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    override: ({ zodSchema, jsonSchema, path }) => {
      // The API server checks a format by itself.
      const pattern = jsonSchema.format === undefined ? foreignPattern(zodSchema) : undefined;
      if (pattern !== undefined) throw refusal([at, ...path].join('.'), `has the pattern ${pattern}`);
    },
  });
  return structural(json as Node, at);
}

function structural(node: Node, at: string): StructuralSchema {
  const { type, $schema, properties, additionalProperties, propertyNames, items, ...rest } = node;
  if (typeof type !== 'string' || !TYPES.includes(type)) throw refusal(at, 'has no type');
  if (!hasBounds(node)) throw refusal(at, `is of type ${type}, of any size`);
  if (!isAnyText(propertyNames)) throw refusal(at, 'has keys of a certain form');
  for (const keyword of Object.keys(rest)) {
    if (!KEPT.has(keyword)) throw refusal(at, `has the keyword ${JSON.stringify(keyword)}`);
  }
  return {
    type,
    ...scalars(rest, type),
    ...(properties === undefined ? {} : { properties: fields(properties, at) }),
    ...mapOf(additionalProperties, at),
    ...(items === undefined ? {} : { items: structural(items as Node, `${at}[]`) }),
  };
}

function scalars(rest: Node, type: string): Node {
  const entries = Object.entries(rest)
    .filter(([keyword, value]) => !isMargin(keyword, value))
    // The API server checks the format; what Zod writes beside it says the same, at length.
    .filter(([keyword]) => keyword !== 'pattern' || rest.format === undefined);
  const kept: Node = Object.fromEntries(entries);
  return isShown(kept.default, type) ? { ...kept, description: withDefault(kept) } : kept;
}

/** Any integer that JavaScript knows is any integer. */
function isMargin(keyword: string, value: unknown): boolean {
  return (keyword === 'minimum' || keyword === 'maximum') && MARGINS.includes(value as number);
}

const isShown = (value: unknown, type: string): boolean => value !== undefined && type !== 'object';

/** `kubectl explain` shows no defaults: the text has to. */
function withDefault({ description, default: value }: Node): string {
  const text = String(description);
  return text.includes('Default: ') ? text : `${text} Default: ${String(value)}.`;
}

function fields(properties: unknown, at: string): Readonly<Record<string, StructuralSchema>> {
  return Object.fromEntries(
    Object.entries(properties as Readonly<Record<string, Node>>).map(([name, node]) => {
      const path = `${at}.${name}`;
      if (typeof node.description !== 'string') throw refusal(path, 'has no description');
      return [name, structural(node, path)];
    }),
  );
}

function mapOf(values: unknown, at: string): Pick<StructuralSchema, 'additionalProperties'> {
  if (values === undefined || values === false) return {};
  return { additionalProperties: structural(values as Node, `${at}.*`) };
}

/** Zod says of each map that its keys are strings, which is always so. */
function isAnyText(names: unknown): boolean {
  return names === undefined || JSON.stringify(names) === '{"type":"string"}';
}

function refusal(at: string, what: string): TypeError {
  return new TypeError(`${at} ${what}: a CRD cannot say that, or must not`);
}
