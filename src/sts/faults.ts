/** What an injected fault does to a token exchange request. */
export type Fault = {
  /** How many matching requests take the fault: a positive integer or Infinity. Default 1. */
  readonly times?: number | undefined;
  /** Only requests that name this value as `audience` or `resource`. Default: every exchange. */
  readonly audience?: string | undefined;
} & FaultEffect;

/** A fault that answers, delays or cuts off the request in front of the grant. */
export type FrontFault =
  /** The real answer, `ms` milliseconds late. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** An HTTP error with a JSON body; `retryAfter` in seconds becomes `Retry-After`. */
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: number | undefined }
  /** 200 `application/json` with a body that is not JSON. */
  | { readonly kind: 'garbage' }
  /** 200 `text/html`. */
  | { readonly kind: 'content-type' }
  /** 200 with an OAuth error in the body. */
  | { readonly kind: 'error-body' }
  /** The socket is destroyed without an answer. */
  | { readonly kind: 'disconnect' };

/**
 * A fault in what the grant issues. Tokens stay properly signed by the real key: only a check of the claims
 * (or, for `missing-issued-token-type`, of the response) can catch it.
 */
export type LyingFault =
  | { readonly kind: 'missing-issued-token-type' }
  /** `aud` is `value` alone, by default `wrong-audience`. */
  | { readonly kind: 'wrong-audience'; readonly value?: string | undefined }
  /** `sub` is `value`, by default `somebody-else`. */
  | { readonly kind: 'other-subject'; readonly value?: string | undefined }
  /** The `scope` claim holds `everything` besides what was asked for; the response does not say so. */
  | { readonly kind: 'wider-scope' }
  /** The `act` claim is missing. */
  | { readonly kind: 'no-act' }
  /** A random string instead of a JWT. */
  | { readonly kind: 'opaque' };

/** What a fault does. */
export type FaultEffect = FrontFault | LyingFault;

/** The faults that wait for a request. */
export interface FaultQueue {
  inject(fault: Fault): void;
  clear(): void;
  /** Takes the first fault that matches a request for these audiences and resources. */
  take(targets: readonly string[]): Fault | undefined;
}

const FRONT: ReadonlySet<string> = new Set<FrontFault['kind']>([
  'latency',
  'status',
  'garbage',
  'content-type',
  'error-body',
  'disconnect',
]);
const LYING: ReadonlySet<string> = new Set<LyingFault['kind']>([
  'missing-issued-token-type',
  'wrong-audience',
  'other-subject',
  'wider-scope',
  'no-act',
  'opaque',
]);

export function isFrontFault(fault: Fault): fault is Fault & FrontFault {
  return FRONT.has(fault.kind);
}

export function isLyingFault(fault: Fault): fault is Fault & LyingFault {
  return LYING.has(fault.kind);
}

/** Keeps injected faults in order until they have been taken `times` times. */
export function createFaultQueue(): FaultQueue {
  const waiting: { readonly fault: Fault; left: number }[] = [];
  const take = (targets: readonly string[]): Fault | undefined => {
    const index = waiting.findIndex(
      ({ fault }) => fault.audience === undefined || targets.includes(fault.audience),
    );
    const entry = waiting[index];
    if (entry === undefined) return undefined;
    entry.left -= 1;
    if (entry.left === 0) waiting.splice(index, 1);
    return entry.fault;
  };
  return {
    inject(fault) {
      checkFault(fault);
      waiting.push({ fault, left: fault.times ?? 1 });
    },
    clear() {
      waiting.length = 0;
    },
    take,
  };
}

function checkFault(fault: Fault): void {
  if (!isFrontFault(fault) && !isLyingFault(fault)) {
    throw new TypeError(`fault.kind must be one of ${[...FRONT, ...LYING].join(', ')}`);
  }
  const { times } = fault;
  if (times !== undefined && times !== Infinity && !isWhole(times, 1)) {
    throw new TypeError('fault.times must be a positive integer or Infinity');
  }
  if (fault.kind === 'latency' && !(fault.ms >= 0 && fault.ms < 2 ** 31)) {
    throw new TypeError('fault.ms must be a number of milliseconds from 0');
  }
  if (fault.kind === 'status') checkStatus(fault);
}

function checkStatus(fault: Extract<FrontFault, { kind: 'status' }>): void {
  if (!isWhole(fault.status, 400) || fault.status > 599) {
    throw new TypeError('fault.status must be an HTTP error status from 400 to 599');
  }
  if (fault.retryAfter !== undefined && !isWhole(fault.retryAfter, 0)) {
    throw new TypeError('fault.retryAfter must be a whole number of seconds from 0');
  }
}

function isWhole(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least;
}
