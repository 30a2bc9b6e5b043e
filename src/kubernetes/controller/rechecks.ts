/** What a look at something outside the cluster has found. */
export interface Looked<T> {
  readonly value: T;
  /** Whether it was as it should be: then the next look can wait. */
  readonly ok: boolean;
}

/** Looks at things outside the cluster, which tell nobody when they change: now and then, and not at each reconcile. */
export interface Rechecks<T> {
  /**
   * What the last look has found, or what a new one finds where that is too old or of another version.
   *
   * @param version - changes with what is looked at
   */
  readonly look: (
    key: string,
    version: string,
    look: () => Promise<Looked<T>>,
  ) => Promise<Looked<T> & { readonly nextMs: number }>;
  readonly forget: (key: string) => void;
}

export interface RecheckOptions {
  /** Milliseconds of a clock. */
  readonly now: () => number;
  /** Time between looks at what is well, in milliseconds. Default: 5 minutes. */
  readonly okMs?: number | undefined;
  /** Time between looks at what is not, in milliseconds. Default: 15 seconds. */
  readonly failedMs?: number | undefined;
}

/** Makes a memory of looks. Times vary by a tenth, so that not all looks are at once. */
export function createRechecks<T>({ now, okMs = 300_000, failedMs = 15_000 }: RecheckOptions): Rechecks<T> {
  const known = new Map<string, Looked<T> & { readonly version: string; readonly until: number }>();
  return {
    async look(key, version, look) {
      const last = known.get(key);
      const left = (last?.until ?? 0) - now();
      if (last?.version === version && left > 0) return { ...last, nextMs: left };
      const looked = await look();
      const nextMs = (looked.ok ? okMs : failedMs) * (0.9 + Math.random() * 0.2);
      known.set(key, { ...looked, version, until: now() + nextMs });
      return { ...looked, nextMs };
    },
    forget: (key) => void known.delete(key),
  };
}
