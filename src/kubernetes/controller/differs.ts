import { sameQuantity } from './quantity.ts';

type Members = Readonly<Record<string, unknown>>;

/** By name of a list, the members that tell its items apart, as server-side apply does; other lists are one value. */
const MERGE_KEYS: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  env: ['name'],
  imagePullSecrets: ['name'],
  ownerReferences: ['uid'],
  volumeMounts: ['mountPath'],
  volumes: ['name'],
};
/** Ports are told apart by what they are called in a container and in a Service. */
const PORT_KEYS = ['containerPort', 'port'] as const;
const QUANTITIES: ReadonlySet<string> = new Set(['limits', 'requests']);

/**
 * Whether a live object lacks something of what is wanted. It may have more: what the API server fills in, and what
 * others own (server-side apply leaves that alone). So `false` means that applying `want` would change nothing; that
 * something of ours is no longer wanted is for the digest of what was applied, which `want` has as an annotation.
 *
 * @param want - what would be applied
 * @param live - as the API server has it
 */
export function differs(want: unknown, live: unknown): boolean {
  return !covers(live, want, '');
}

/** @param name - of the member that both stand at */
function covers(live: unknown, want: unknown, name: string): boolean {
  if (isEmpty(want)) return isEmpty(live);
  if (Array.isArray(want)) return Array.isArray(live) && coversList(live, want, name);
  if (isMembers(want)) return isMembers(live) && coversMembers(live, want, name);
  return live === want;
}

/** What the API server leaves out. Not `{}`, which chooses one of several, as in `emptyDir: {}`. */
function isEmpty(value: unknown): boolean {
  return (
    value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
  );
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function coversMembers(live: Members, want: Members, name: string): boolean {
  const quantities = QUANTITIES.has(name);
  return Object.entries(want).every(([member, value]) => {
    // As in JSON, it is not there, and says nothing.
    if (value === undefined) return true;
    const found = Object.hasOwn(live, member) ? live[member] : undefined;
    if (quantities && found !== undefined) return sameQuantity(value, found);
    return covers(found, value, member);
  });
}

function coversList(live: readonly unknown[], want: readonly unknown[], name: string): boolean {
  const keys = keysOf(name, want);
  if (keys === undefined) {
    return live.length === want.length && want.every((item, at) => covers(live[at], item, ''));
  }
  return want.every((item) => {
    const twin = live.find((one) => keys.every((key) => (one as Members)[key] === (item as Members)[key]));
    return twin !== undefined && covers(twin, item, '');
  });
}

function keysOf(name: string, want: readonly unknown[]): readonly string[] | undefined {
  if (name !== 'ports') return Object.hasOwn(MERGE_KEYS, name) ? MERGE_KEYS[name] : undefined;
  return PORT_KEYS.filter((key) => (want as readonly Members[]).every((port) => port[key] !== undefined));
}
