/** Tells a listener. It is an onlooker: what it throws, at once or later, must change nothing here. */
export function onlook<T>(listener: ((event: T) => unknown) | undefined, event: T): void {
  try {
    const outcome = listener?.(event);
    if (outcome instanceof Promise) outcome.catch(() => {});
  } catch {}
}
