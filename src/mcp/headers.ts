/** Any form of HTTP header fields that `Headers` takes. */
export type HeaderFields = Headers | Iterable<readonly [string, string]> | Readonly<Record<string, string>>;

/**
 * Lays header fields over each other, lowest first. Names are compared without case; of each name the highest
 * layer's value is kept, alone.
 */
export function layerHeaders(...layers: readonly (HeaderFields | undefined)[]): Headers {
  const merged = new Headers();
  for (const layer of layers) {
    if (layer === undefined) continue;
    // Two spellings of one name within a layer must not join into a list: the last one counts.
    const fields = Symbol.iterator in layer ? layer : Object.entries(layer);
    for (const [name, value] of fields as Iterable<readonly [string, string]>) merged.set(name, value);
  }
  return merged;
}
