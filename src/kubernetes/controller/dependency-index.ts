import type { ObjectKey } from '../compile/types.ts';
import { keyText } from './keys.ts';

/** Who depends on what. Both are keys as text. */
export interface DependencyIndex {
  /** Replaces what was known of a dependent. What it depends on need not be there. */
  readonly set: (dependent: string, dependencies: readonly ObjectKey[]) => void;
  readonly forget: (dependent: string) => void;
  /** Those that depend on an object, sorted. */
  readonly dependentsOf: (object: ObjectKey) => readonly string[];
  /** Number of pairs. */
  readonly size: () => number;
}

/** Makes an index that a change is looked up in without going through all objects. */
export function createDependencyIndex(): DependencyIndex {
  const dependencies = new Map<string, ReadonlySet<string>>();
  const dependents = new Map<string, Set<string>>();
  let size = 0;

  const forget = (dependent: string): void => {
    for (const key of dependencies.get(dependent) ?? []) {
      const others = dependents.get(key);
      others?.delete(dependent);
      if (others?.size === 0) dependents.delete(key);
      size -= 1;
    }
    dependencies.delete(dependent);
  };

  return {
    set(dependent, objects) {
      forget(dependent);
      const keys = new Set(objects.map(keyText));
      dependencies.set(dependent, keys);
      size += keys.size;
      for (const key of keys) {
        const others = dependents.get(key) ?? new Set();
        dependents.set(key, others.add(dependent));
      }
    },
    forget,
    dependentsOf: (object) => [...(dependents.get(keyText(object)) ?? [])].sort(),
    size: () => size,
  };
}
