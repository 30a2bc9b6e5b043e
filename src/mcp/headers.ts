/** Any form of HTTP header fields that `Headers` takes. */
export type HeaderFields = Headers | Iterable<readonly [string, string]> | Readonly<Record<string, string>>;

/**
 * Lays header fields over each other, lowest first. Names are compared without case; of each name the highest
 * layer's value is kept, alone.
 */
export function layerHeaders(...layers: readonly (HeaderFields | undefined)[]): Headers {
  const merged = new Headers();
  for (const layer of layers) {
    // Two spellings of one name within a layer must not join into a list: the last one counts.
    for (const [name, value] of entriesOf(layer)) merged.set(name, value);
  }
  return merged;
}

function entriesOf(layer: HeaderFields | undefined): Iterable<readonly [string, string]> {
  if (layer === undefined) return [];
  return Symbol.iterator in layer
    ? (layer as Iterable<readonly [string, string]>)
    : Object.entries(layer as Readonly<Record<string, string>>);
}

/**
 * The header fields of a request that is on its way: a copy of the client's, in lower case.
 * No `Headers`: that checks each value, letter by letter, and `fetch` does so once more.
 */
export class RequestFields {
  [name: string]: string;
}

/** A request's own copy of its header fields, made once. */
export function requestFields(given: RequestInit['headers']): RequestFields {
  if (given instanceof RequestFields) return given;
  const fields = new RequestFields();
  for (const [name, value] of entriesOf(given as HeaderFields | undefined))
    fields[name.toLowerCase()] = value;
  return fields;
}

/**
 * A copy of a request's header fields with a token, or without any: whatever was there as `Authorization`, in any case, is
 * overridden. A copy, since whoever was given the others has them still: what goes out as nobody must not have a token a
 * moment later.
 */
export function withToken(given: RequestInit['headers'], token: string | undefined): RequestFields {
  const fields = Object.assign(new RequestFields(), requestFields(given));
  if (token === undefined) delete fields.authorization;
  else fields.authorization = `Bearer ${token}`;
  return fields;
}
