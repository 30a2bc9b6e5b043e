import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Collects garbage until something is so, or for a while. */
export async function collectUntil(isSo: () => boolean): Promise<void> {
  for (let times = 0; times < 20 && !isSo(); times++) {
    // Whoever asks a WeakRef holds its object for the rest of that turn.
    await setImmediate();
    collect();
    await setImmediate();
  }
}

/** How many objects there still are, of those that nobody should hold any more. */
export async function alive(refs: readonly WeakRef<object>[]): Promise<number> {
  const count = (): number => refs.filter((ref) => ref.deref() !== undefined).length;
  await collectUntil(() => count() === 0);
  return count();
}
