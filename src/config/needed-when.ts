/** Part of a JSON Schema: which fields go with a value of another one. */
export interface NeededWhen {
  readonly if: { readonly properties: Readonly<Record<string, { readonly const: string }>> };
  readonly then: { readonly required: readonly string[] };
  readonly else?: { readonly properties: Readonly<Record<string, false>> };
}

/**
 * Says in JSON Schema what a refinement beside it says in code, which `z.toJSONSchema` cannot read.
 *
 * @param field - whose value decides
 * @param needed - the fields that are needed with it
 */
export function neededWhen(field: string, value: string, needed: readonly string[]): NeededWhen {
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  return { if: { properties: { [field]: { const: value } } }, then: { required: needed } };
}

/** The same, and with any other value they must not be there. */
export function neededOnlyWhen(field: string, value: string, needed: readonly string[]): NeededWhen {
  const properties = Object.fromEntries(needed.map((name) => [name, false as const]));
  return { ...neededWhen(field, value, needed), else: { properties } };
}
