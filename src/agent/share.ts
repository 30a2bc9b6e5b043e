/** How room is made for one user's next entry. */
export interface Room {
  /** Whose entry is to be put in. */
  readonly owner: string | undefined;
  /** Of how many entries on a user's own come first to go. */
  readonly share: number;
}

/**
 * The entry that goes when there is no room: the user's own oldest once they have their share; else the oldest of those who have
 * theirs; else the oldest. So nobody loses an entry to one who has many.
 *
 * @param entries - oldest first
 * @returns `undefined` when none can go
 */
export function firstToGo<V extends { readonly owner: string | undefined }>(
  entries: ReadonlyMap<string, V>,
  { owner, share }: Room,
  canGo: (entry: V) => boolean = () => true,
): string | undefined {
  const counts = new Map<string | undefined, number>();
  for (const { owner: one } of entries.values()) counts.set(one, (counts.get(one) ?? 0) + 1);
  const hasShare = (one: string | undefined): boolean => (counts.get(one) ?? 0) >= share;
  const those = [...entries].filter(([, entry]) => canGo(entry));
  const own = hasShare(owner) ? those.find(([, entry]) => entry.owner === owner) : undefined;
  const [id] = own ?? those.find(([, entry]) => hasShare(entry.owner)) ?? those[0] ?? [];
  return id;
}

/** A tenth, and at least one. */
export function shareOf(most: number): number {
  return Math.max(1, Math.floor(most / 10));
}
