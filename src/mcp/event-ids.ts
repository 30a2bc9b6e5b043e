const LONGEST_LINE = 65_536;
/** An `id` field at the beginning of a text, or of a line in it. Lines end as the HTML standard says, and not as JavaScript does. */
const FIRST_OR_LATER = /(^|\r\n|\n|\r)id:( ?)/g;
const LATER = /(\r\n|\n|\r)id:( ?)/g;

/**
 * Passes a stream of events on, with a prefix before the id of each event: ids are unique within a session only, and
 * behind one client there are many.
 */
export function prefixedEventIds(prefix: string): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let line = '';
  let isInLine = false;

  const rewrite = (text: string): Uint8Array => {
    const field = isInLine ? LATER : FIRST_OR_LATER;
    isInLine = !/[\r\n]$/.test(text);
    return encoder.encode(text.replace(field, `$1id:$2${prefix}`));
  };

  return new TransformStream({
    transform(chunk, controller) {
      const text = line + decoder.decode(chunk, { stream: true });
      const end = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r')) + 1;
      // A line that is too long to be an id does not have to be seen whole.
      const cut = text.length - end > LONGEST_LINE ? text.length : end;
      line = text.slice(cut);
      if (cut > 0) controller.enqueue(rewrite(text.slice(0, cut)));
    },
    flush(controller) {
      if (line !== '') controller.enqueue(rewrite(line));
    },
  });
}
