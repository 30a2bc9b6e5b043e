import { watchBreaker } from '../core/token-service.ts';
import type { TokenService } from '../core/token-service-handle.ts';
import type { BreakerEvent } from './observer.ts';
import { onlook } from './onlook.ts';

/** Watches breakers, each once, for as long as it is there. */
export function createBreakerWatch(listener: ((event: BreakerEvent) => void) | undefined): {
  add(service: TokenService): void;
  stop(): void;
} {
  const watched = new WeakSet<TokenService>();
  let stopped = false;
  return {
    add(service) {
      if (!listener || watched.has(service)) return;
      watched.add(service);
      watchBreaker(service, (state, sts) => {
        if (!stopped) onlook(listener, { state, sts });
      });
    },
    stop() {
      stopped = true;
    },
  };
}
