/** Looks at things outside the cluster, some at a time. */
export interface LookPool {
  /** Begins the look when it is its turn; it must not fail. Returns what takes it back, as long as it has not begun. */
  readonly add: (namespace: string, look: () => Promise<void>) => () => void;
  readonly sizes: () => LookPoolSizes;
}

/** How many looks there are. */
export interface LookPoolSizes {
  /** Wait for their turn. */
  readonly waiting: number;
  /** Are under way. */
  readonly active: number;
}

export interface LookPoolOptions {
  /** How many are under way at the same time. Default: 4. */
  readonly most?: number | undefined;
  /** The same of one namespace. Default: 2. */
  readonly mostPerNamespace?: number | undefined;
}

type Look = () => Promise<void>;

/**
 * Makes a pool. Namespaces take turns, and none has all the places: what does not answer holds its place until it is given up, and
 * whoever has much of that must not keep the others waiting.
 */
export function createLookPool({ most = 4, mostPerNamespace = 2 }: LookPoolOptions = {}): LookPool {
  /** By namespace, in the order of their turns. */
  const waiting = new Map<string, Set<Look>>();
  const active = new Map<string, number>();
  let running = 0;

  /** The namespace that has the fewest places, of those with as few the one that waits longest. */
  const whose = (): string | undefined => {
    let best: string | undefined;
    let fewest = mostPerNamespace;
    for (const namespace of waiting.keys()) {
      const count = active.get(namespace) ?? 0;
      if (count < fewest) [best, fewest] = [namespace, count];
    }
    return best;
  };

  const take = (namespace: string): Look | undefined => {
    const looks = waiting.get(namespace) ?? new Set();
    const [look] = looks;
    waiting.delete(namespace);
    if (look !== undefined) looks.delete(look);
    // At the end of the line.
    if (looks.size > 0) waiting.set(namespace, looks);
    return look;
  };

  const count = (namespace: string, change: 1 | -1): void => {
    running += change;
    const left = (active.get(namespace) ?? 0) + change;
    if (left > 0) active.set(namespace, left);
    else active.delete(namespace);
  };

  const serve = (): void => {
    while (running < most) {
      const namespace = whose();
      const look = namespace === undefined ? undefined : take(namespace);
      if (namespace === undefined || look === undefined) return;
      count(namespace, 1);
      void look().finally(() => {
        count(namespace, -1);
        serve();
      });
    }
  };

  return {
    add(namespace, look) {
      const looks = waiting.get(namespace) ?? new Set();
      waiting.set(namespace, looks.add(look));
      serve();
      return () => {
        looks.delete(look);
        if (looks.size === 0 && waiting.get(namespace) === looks) waiting.delete(namespace);
      };
    },
    sizes: () => ({
      waiting: [...waiting.values()].reduce((sum, { size }) => sum + size, 0),
      active: running,
    }),
  };
}
