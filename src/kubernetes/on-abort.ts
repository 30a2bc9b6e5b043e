import { setMaxListeners } from 'node:events';

/** Listens for the abort of a signal, which many may do. Returns what ends that. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (!signal) return () => {};
  // Node warns of a leak at eleven; one signal ends all requests of a program.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}
