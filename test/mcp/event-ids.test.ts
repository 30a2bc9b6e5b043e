import fc from 'fast-check';
import { expect, test } from 'vitest';
import { prefixedEventIds } from '../../src/mcp/event-ids.ts';

/** What comes out of it, of a text that comes in such pieces. */
async function through(text: string, cuts: readonly number[] = []): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const ends = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].toSorted(
    (a, b) => a - b,
  );
  let from = 0;
  const pieces = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const end of ends) {
        controller.enqueue(bytes.slice(from, end));
        from = end;
      }
      controller.close();
    },
  });
  return new Response(pieces.pipeThrough(prefixedEventIds('me.'))).text();
}

test.each([
  ['id: 1\ndata: a\n\n', 'id: me.1\ndata: a\n\n'],
  ['id:1\r\ndata: id: 2\r\n\r\nid: 3\r\r', 'id:me.1\r\ndata: id: 2\r\n\r\nid: me.3\r\r'],
  ['data: a\u2028id: 2\n\nid\n\nidx: 1\n : id: 4\n', 'data: a\u2028id: 2\n\nid\n\nidx: 1\n : id: 4\n'],
  ['id:\ndata: a', 'id:me.\ndata: a'],
])('of %j only the ids are others', async (text, wanted) => {
  expect(await through(text)).toBe(wanted);
});

test('it does not matter in which pieces they come', async () => {
  const line = fc.constantFrom(
    'id: 7',
    'id:8',
    'data: id: 9',
    'data: ü\u2028id: 1',
    ': note',
    '',
    'event: x',
    'id',
  );
  const end = fc.constantFrom('\n', '\r\n', '\r');
  const text = fc.array(
    fc.tuple(line, end).map((pair) => pair.join('')),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(text, fc.array(fc.nat()), async (lines, cuts) => {
      const wanted = lines.map((each) => each.replace(/^id:( ?)/, 'id:$1me.')).join('');
      expect(await through(lines.join(''), cuts)).toBe(wanted);
    }),
  );
});

test('a line that never ends is passed on as it comes', async () => {
  const long = `data: ${'x'.repeat(200_000)}\nid: 1\n`;
  const cuts = Array.from({ length: 20 }, (_, index) => index * 9_999);
  expect(await through(long, cuts)).toBe(long.replace('id: 1', 'id: me.1'));
});
