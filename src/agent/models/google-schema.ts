import type { LanguageModelV3FunctionTool } from '@ai-sdk/provider';

/** A JSON Schema, as the providers take it. */
export type JsonSchema = LanguageModelV3FunctionTool['inputSchema'];

type Fields = Readonly<Record<string, unknown>>;

/** What is there in Google's schemas alone, or is put otherwise in JSON Schema. */
const NOT_JSON_SCHEMA: ReadonlySet<string> = new Set([
  ...['type', 'nullable', 'propertyOrdering', 'example', 'enum', 'properties', 'items', 'anyOf'],
]);
/** Google writes 64-bit numbers as texts. */
const COUNTS: ReadonlySet<string> = new Set([
  ...['minItems', 'maxItems', 'minLength', 'maxLength', 'minProperties', 'maxProperties'],
]);

/** Turns a schema of Google's (types in capitals, `nullable`) into JSON Schema; what is JSON Schema already stays so. */
export function fromGoogleSchema(schema: unknown): JsonSchema {
  const given = fieldsOf(schema) ?? {};
  const rest = Object.entries(given).flatMap(([name, value]) =>
    NOT_JSON_SCHEMA.has(name) ? [] : [[name, COUNTS.has(name) ? Number(value) : value]],
  );
  return {
    ...Object.fromEntries(rest),
    ...typeOf(given),
    ...enumOf(given),
    ...propertiesOf(given.properties),
    ...(given.items !== undefined && { items: fromGoogleSchema(given.items) }),
    ...anyOf(given),
  } as JsonSchema;
}

function typeOf({ type, nullable }: Fields): Fields {
  if (Array.isArray(type)) return { type: type.map((one) => String(one).toLowerCase()) };
  if (typeof type !== 'string' || type === 'TYPE_UNSPECIFIED') return {};
  const name = type.toLowerCase();
  return { type: nullable === true ? [name, 'null'] : name };
}

/** ADK makes a text of each value, also where the type is a number. */
function enumOf({ enum: values, type, nullable }: Fields): Fields {
  if (!Array.isArray(values)) return {};
  const numeric = type === 'INTEGER' || type === 'NUMBER';
  const own = numeric ? values.map(Number) : values;
  return { enum: nullable === true && !own.includes(null) ? [...own, null] : own };
}

function propertiesOf(properties: unknown): Fields {
  const fields = fieldsOf(properties);
  if (fields === undefined) return {};
  const converted = Object.entries(fields).map(([name, value]) => [name, fromGoogleSchema(value)]);
  return { properties: Object.fromEntries(converted) };
}

function anyOf({ anyOf: choices, nullable, type }: Fields): Fields {
  if (!Array.isArray(choices)) return {};
  const converted = choices.map(fromGoogleSchema);
  const orNull = nullable === true && type === undefined ? [{ type: 'null' }] : [];
  return { anyOf: [...converted, ...orNull] };
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}
