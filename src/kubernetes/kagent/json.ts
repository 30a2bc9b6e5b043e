/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value if it is an object, else an empty one. */
export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** The value if it is a list, else an empty one. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A member of its own, never one of the prototype. */
export function member(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** The member if it is a text that says something; kagent's Go types write an empty one for none. */
export function textMember(object: JsonObject, name: string): string | undefined {
  const value = member(object, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Where `kubectl` puts what says no namespace. */
const DEFAULT_NAMESPACE = 'default';

/** The namespace of an object. */
export function namespaceOf(object: JsonObject): string {
  return textMember(objectOf(object.metadata), 'namespace') ?? DEFAULT_NAMESPACE;
}

/** Deeper than any field of kagent; the walk ends there, whatever somebody wrote. */
const DEEPEST = 8;

/** Whether a value asks for nothing: what the API server fills in, and what Go leaves empty. */
export function isNothing(value: unknown, depth = 0): boolean {
  if (value === undefined || value === null || value === false || value === '') return true;
  if (typeof value !== 'object' || depth === DEEPEST) return false;
  return Object.values(value).every((inner) => isNothing(inner, depth + 1));
}

/** An object of these members, without those that are `undefined`. */
export function withoutUndefined(members: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
