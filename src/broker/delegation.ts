import type { TokenClaims } from '../core/claims.ts';
import { OnbehalfError } from '../core/errors.ts';
import type { ResolvedTarget } from '../core/target.ts';
import type { SecurityToken } from '../core/token-types.ts';

/** One subject, for one run. It names the subject and holds no token, so it may be passed around and printed. */
export interface Delegation {
  /** Unique in this process. */
  readonly id: string;
  /** Digest: runs with the same one share tokens, others never do. */
  readonly group: string;
  /** When the run is over even if nobody ends it, in milliseconds since the epoch. */
  readonly endsAt: number;
  /** Whom the run is for, as the subject token says. */
  readonly subject: {
    /** `sub` of the subject token; `undefined` when that is opaque. */
    readonly sub: string | undefined;
    /** `iss` of the subject token. */
    readonly iss: string | undefined;
    /** Keyed digest of the subject token: the same only for the same token, and only in one broker. */
    readonly digest: string;
    /** When the subject token expires, in milliseconds since the epoch. */
    readonly expiresAt: number | undefined;
  };
}

/**
 * How long tokens are kept: `run` until the last of the runs that share them has ended; `subject` until they
 * expire, so that the next run of the same subject token exchanges nothing.
 */
export type Retention = 'run' | 'subject';

/** The runs of one session and subject that are under way together. */
export interface RunGroup {
  /** What a run must have in common with it to join. */
  readonly label: string;
  readonly id: string;
  /** Part of the store's key; empty where runs to come may share too. */
  readonly keyPart: string;
  readonly keys: Set<string>;
  /** The runs under way, by delegation id, with when each is over even if nobody ends it. */
  readonly runs: Map<string, number>;
  ended: boolean;
}

/** What the broker knows of a delegation, and nobody else. */
export interface DelegationRecord {
  readonly subject: SecurityToken;
  readonly claims: TokenClaims;
  readonly subjectDigest: string;
  readonly group: RunGroup;
  readonly endsAt: number;
  /** Keys that were computed, by target, with what they were computed from besides. */
  readonly keys: WeakMap<ResolvedTarget, KeyMemo>;
  ended: boolean;
}

interface KeyMemo {
  readonly key: string;
  readonly actorIdentity: string;
  readonly tokenEndpoint: string | undefined;
  readonly resourceEndpoint: string | undefined;
}

/** The run groups under way: their runs are counted, each has a hard end, and there are only so many. */
export interface RunGroups {
  /** Adds a run to the group of `label`, or founds it. */
  join(label: string, run: { readonly id: string; readonly endsAt: number }): RunGroup;
  leave(group: RunGroup, id: string): void;
  /** Ends the runs whose time is over. */
  sweep(): void;
  endAll(): void;
  /** Runs under way. */
  readonly runs: number;
  /** Groups under way. */
  readonly size: number;
}

/** How {@link createRunGroups} makes and ends groups. */
export interface RunGroupOptions {
  /** Most runs under way at once. */
  readonly maxRuns: number;
  readonly now: () => number;
  /** Names a new group. */
  readonly name: (label: string) => { readonly id: string; readonly keyPart: string };
  /** Called once for a group when its last run has ended. */
  readonly onEnd: (group: RunGroup) => void;
}

export function createRunGroups(options: RunGroupOptions): RunGroups {
  const groups = new Map<string, RunGroup>();
  let count = 0;

  const end = (group: RunGroup): void => {
    group.ended = true;
    count -= group.runs.size;
    group.runs.clear();
    groups.delete(group.label);
    options.onEnd(group);
  };

  const leave = (group: RunGroup, id: string): void => {
    if (!group.runs.delete(id)) return;
    count -= 1;
    if (group.runs.size === 0) end(group);
  };

  /** A run that was broken off counts until its time is over, not for as long as others join its group. */
  const endOverdue = (group: RunGroup): void => {
    const now = options.now();
    // Runs are kept in the order in which they end.
    for (const [id, endsAt] of group.runs) {
      if (endsAt > now) break;
      leave(group, id);
    }
  };

  const sweep = (): void => {
    for (const group of groups.values()) endOverdue(group);
  };

  const assertRoom = (): void => {
    if (count >= options.maxRuns) sweep();
    if (count >= options.maxRuns) {
      throw new OnbehalfError(
        'capacity_exceeded',
        `${options.maxRuns} runs are under way, the most there may be`,
        { failure: 'unavailable' },
      );
    }
  };

  const found = (label: string): RunGroup => ({
    label,
    ...options.name(label),
    keys: new Set(),
    runs: new Map(),
    ended: false,
  });

  return {
    join(label, { id, endsAt }) {
      const existing = groups.get(label);
      if (existing) endOverdue(existing);
      assertRoom();
      const group = groups.get(label) ?? found(label);
      group.runs.set(id, endsAt);
      count += 1;
      groups.set(label, group);
      return group;
    },
    leave,
    sweep,
    endAll() {
      for (const group of groups.values()) end(group);
    },
    get runs() {
      return count;
    },
    get size() {
      return groups.size;
    },
  };
}
