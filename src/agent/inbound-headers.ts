import type { IncomingMessage } from 'node:http';
import { whyNotHandedOn } from '../config/handed-on.ts';

/** Header fields of the request that a run answers, by their names in lower case. */
export type InboundHeaders = ReadonlyMap<string, string>;

/** Those of a caller whose request is not known. */
export const NO_HEADERS: InboundHeaders = new Map();

/** The header fields of a request that can be handed on at all; of each name one value, as RFC 9110 section 5.3 joins several. */
export function inboundHeadersOf(request: IncomingMessage): InboundHeaders {
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === 'string' && whyNotHandedOn(name) === undefined) fields.set(name, value);
  }
  return fields;
}
