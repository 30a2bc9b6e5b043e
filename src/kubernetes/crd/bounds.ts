/** A node of a JSON Schema. */
export type Node = Readonly<Record<string, unknown>>;

/** What Zod writes for an integer that has no bound. */
export const MARGINS: readonly number[] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];

/**
 * Whether the schema says how large a value may be. The API server estimates the worst cost of each CEL rule from these
 * bounds, and refuses a CRD where it is too high.
 */
export function hasBounds(node: Node): boolean {
  switch (node.type) {
    case 'string':
      return node.maxLength !== undefined || node.enum !== undefined || node.format === 'date-time';
    case 'array':
      return node.maxItems !== undefined;
    case 'object':
      return isClosed(node) || node.maxProperties !== undefined;
    default:
      return true;
  }
}

function isClosed({ properties, additionalProperties }: Node): boolean {
  return properties !== undefined && (additionalProperties === undefined || additionalProperties === false);
}
