import * as z from 'zod';
import { EXAMPLES } from './examples.ts';
import { runtimeConfig } from './runtime-config.ts';

/** A JSON Schema (draft 07), as far as it is looked at here. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly type?: string | readonly string[] | undefined;
  readonly description?: string | undefined;
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined;
  readonly additionalProperties?: JsonSchema | boolean | undefined;
  readonly required?: readonly string[] | undefined;
  readonly items?: JsonSchema | undefined;
  readonly anyOf?: readonly JsonSchema[] | undefined;
  readonly enum?: readonly unknown[] | undefined;
  readonly default?: unknown;
  readonly examples?: readonly unknown[] | undefined;
}

/** One field of the config. */
export interface ConfigField {
  /** E.g. `http_tools[].params.url`: `[]` is an entry of a list, `*` any name. */
  readonly path: string;
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
}

/**
 * The JSON Schema of `config.json`, for editors. Draft 07, which is the one that they know best. What it cannot say, such
 * as that a token service is there, only the agent server refuses.
 */
export function configJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(runtimeConfig, { io: 'input', target: 'draft-07' }) as JsonSchema;
  for (const { path, schema: field } of configFields(schema)) {
    const example = EXAMPLES[path.replace(/^sse_tools\[\]/, 'http_tools[]')] ?? targetExample(path);
    if (example !== undefined) Object.assign(field, { examples: [example] });
  }
  const { $schema, ...rest } = schema;
  return {
    $schema,
    title: 'config.json of an agent of onbehalf',
    description: 'What "onbehalf agent" runs: a superset of the file of kagent v0.10.',
    ...rest,
  };
}

/** The fields of a schema with all that are in them, each before its own. */
export function configFields(schema: JsonSchema, at = ''): readonly ConfigField[] {
  return partsOf(schema).flatMap((part) => [
    ...Object.entries(part.properties ?? {}).flatMap(([name, field]): readonly ConfigField[] => {
      const path = at === '' ? name : `${at}.${name}`;
      const isRequired = part.required?.includes(name) ?? false;
      return [{ path, schema: field, isRequired }, ...configFields(field, path)];
    }),
    ...(part.items ? configFields(part.items, `${at}[]`) : []),
    ...(typeof part.additionalProperties === 'object'
      ? configFields(part.additionalProperties, `${at}.*`)
      : []),
  ]);
}

/** The schema, or where it is one that may be null, what it may be else. A rule among `anyOf` has no type. */
function partsOf(schema: JsonSchema): readonly JsonSchema[] {
  return schema.type === undefined ? (schema.anyOf ?? []) : [schema];
}

/** Remote agents have the same targets as servers. */
function targetExample(path: string): unknown {
  const [, target] = /^remote_agents\[\]\.((?:sts_audience|token_exchange)\b.*)/.exec(path) ?? [];
  return target === undefined ? undefined : EXAMPLES[`http_tools[].${target}`];
}
