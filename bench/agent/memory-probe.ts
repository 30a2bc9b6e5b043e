// Loaded into the process of a server before its program: tells over the fork's channel how much memory that has.
import { setTimeout } from 'node:timers/promises';

/** Bytes of a process. */
export interface Memory {
  /** As it was found. */
  readonly resident: number;
  /** After garbage was collected, as the rest. */
  readonly atRest: number;
  readonly heap: number;
  /** Of buffers and other things outside of the heap that objects of it hold. */
  readonly external: number;
}

process.on('message', async () => {
  const { rss: resident } = process.memoryUsage();
  for (let times = 0; times < 4; times++) {
    // What is closed at the end of a run is let go a little later.
    await setTimeout(50);
    globalThis.gc?.();
  }
  const { rss: atRest, heapUsed: heap, external } = process.memoryUsage();
  process.send?.({ resident, atRest, heap, external } satisfies Memory);
});
// It must not keep the server from ending.
process.channel?.unref();
