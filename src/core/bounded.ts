/** A Map or a Set: both iterate in the order of insertion. */
interface Insertable<K> {
  readonly size: number;
  keys(): Iterable<K>;
  delete(key: K): boolean;
}

/** Makes room for one more: drops what was put in first, until fewer than `max` are left. */
export function makeRoom<K>(entries: Insertable<K>, max: number): void {
  for (const oldest of entries.keys()) {
    if (entries.size < max) return;
    entries.delete(oldest);
  }
}
