/** An event of a stream (HTML, server-sent events). */
export interface StreamEvent {
  /** Default: `message`. */
  readonly event: string;
  readonly data: string;
}

/** The events of a stream that have data. Its bytes have to be bounded before: an event is held until it is whole. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent, void> {
  let event = '';
  let data: string[] = [];
  for await (const line of lines(body)) {
    if (line === '') {
      if (data.length > 0) yield { event: event === '' ? 'message' : event, data: data.join('\n') };
      event = '';
      data = [];
      continue;
    }
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'event') event = value;
    if (field === 'data') data.push(value);
  }
}

/** Lines, however they end. What comes after the last line break is no line: the event that it belongs to never ended. */
async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  // Joined only where a line ends, or a long line of many pieces would be copied at each of them.
  let pieces: string[] = [];
  for await (const chunk of body) {
    pieces.push(decoder.decode(chunk, { stream: true }));
    if (!/[\r\n]/.test(pieces.at(-1) ?? '') && !pieces.at(-2)?.endsWith('\r')) continue;
    const found = pieces.join('').split(/\r\n|\n|\r(?!$)/);
    pieces = [found.pop() ?? ''];
    yield* found;
  }
}
