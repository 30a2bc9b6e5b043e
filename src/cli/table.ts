/** Columns are two spaces apart. */
const GAP = 2;
const NARROWEST = 8;

/** A cell: its lines. */
export type Cell = readonly string[];

/**
 * A table for people: as wide as it needs to be and at most `width`; longer lines are broken.
 *
 * @param head - names of the columns
 * @param rows - as many cells each
 * @param width - in characters
 */
export function tableText(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  width: number,
): string {
  const all = [head.map((name) => [name]), ...rows];
  const natural = head.map((_, column) =>
    Math.max(...all.flatMap((row) => (row[column] ?? []).map((line) => line.length)), 1),
  );
  const widths = fitted(natural, width - GAP * (head.length - 1));
  return all.map((row) => rowText(row, widths)).join('');
}

/** Takes from the widest column, until all fit. */
function fitted(natural: readonly number[], width: number): readonly number[] {
  const widths = [...natural];
  const sum = (): number => widths.reduce((total, one) => total + one, 0);
  while (sum() > width) {
    const widest = Math.max(...widths);
    if (widest <= NARROWEST) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return widths;
}

function rowText(row: readonly Cell[], widths: readonly number[]): string {
  const cells = widths.map((width, column) => (row[column] ?? []).flatMap((line) => broken(line, width)));
  const height = Math.max(...cells.map(({ length }) => length), 1);
  return Array.from({ length: height }, (_, index) => {
    const texts = widths.map((width, column) => (cells[column]?.[index] ?? '').padEnd(width));
    return `${texts.join(' '.repeat(GAP)).trimEnd()}\n`;
  }).join('');
}

/** Breaks at a space, or behind one of / : . - , or, if there is none in the last half, anywhere. */
function broken(line: string, width: number): readonly string[] {
  if (line.length <= width) return [line];
  const start = line.slice(0, width);
  const space = line.lastIndexOf(' ', width);
  const mark = Math.max(...['/', ':', '.', '-', ','].map((character) => start.lastIndexOf(character))) + 1;
  const at = space > 0 ? space : mark > width / 2 ? mark : width;
  return [line.slice(0, at), ...broken(line.slice(at).trimStart(), width)];
}
