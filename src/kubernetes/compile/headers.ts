import { literalText, type SecretText } from '../../config/secret-text.ts';
import type { HeaderValue } from '../api/references.ts';
import type { Context } from './context.ts';
import { mounted } from './mounted.ts';
import { keyReference } from './pod.ts';
import { type At, below } from './report.ts';

/** A list `headersFrom`, and where it stands: its Secrets and ConfigMaps are in the namespace of that object. */
export interface HeaderList {
  readonly headers: readonly HeaderValue[] | undefined;
  readonly at: At;
}

/** Characters of the values of one list; servers take some ten thousand. It bounds what is done for one Agent. */
const LARGEST = 65_536;

interface Winner {
  readonly header: HeaderValue;
  readonly at: At;
}

/**
 * The static header fields of a server. Names are compared without case, and the later list wins.
 *
 * @param lists - the weakest first: the server's, then the tool reference's
 * @returns by name, sorted; `undefined`: none
 */
export function compileHeaders(
  context: Context,
  lists: readonly HeaderList[],
): Readonly<Record<string, SecretText>> | undefined {
  const winners = new Map(lists.flatMap((list) => [...fieldsOf(context, list)]));
  const fields = [...winners]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, winner]) => [winner.header.name, sourceOf(context, winner)] as const);
  return fields.length === 0 ? undefined : Object.fromEntries(fields);
}

/** By name in lower case. */
function fieldsOf({ report }: Context, { headers = [], at }: HeaderList): ReadonlyMap<string, Winner> {
  const fields = new Map<string, Winner>();
  if (headers.reduce((sum, { value = '' }) => sum + value.length, 0) > LARGEST) {
    report(
      at,
      'Invalid',
      `the values have more than ${LARGEST} characters together: no server takes as much`,
    );
    return fields;
  }
  for (const [index, header] of headers.entries()) {
    const itsAt = below(at, index);
    const name = header.name.toLowerCase();
    if (fields.has(name)) {
      report(below(itsAt, 'name'), 'Invalid', `${header.name} is given twice in this list: keep one of them`);
    }
    // An object cannot have it as a member like others, and no server knows it.
    if (name === '__proto__') report(below(itsAt, 'name'), 'Invalid', `${header.name} cannot be sent`);
    fields.set(name, { header, at: itsAt });
  }
  return fields;
}

function sourceOf(context: Context, { header, at }: Winner): SecretText {
  const { name, value = '', valueFrom } = header;
  if (valueFrom === undefined) {
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      const message = 'holds characters that a header field cannot: only those of Latin-1 can be sent';
      context.report(below(at, 'value'), 'Invalid', message);
    }
    return literalText(value);
  }
  const { type: kind } = valueFrom;
  const wayOut = `put ${name} into a ${kind} there, and say so in headersFrom of the Agent's tool`;
  const path = mounted(context, keyReference(kind, valueFrom, below(at, 'valueFrom')), wayOut);
  return `file:${path}`;
}
