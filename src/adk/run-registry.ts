import type { ReadonlyContext } from '@google/adk';
import type { Delegation } from '../broker/delegation.ts';
import { currentDelegation } from '../context/carrier.ts';
import { makeRoom } from '../core/bounded.ts';
import { OnbehalfError } from '../core/errors.ts';

/** Who a run is for; or why that is not known. */
export type RunRecord = KnownRun | FailedRun;

interface KnownRun {
  readonly delegation: Delegation;
  /** Whether the plugin began it, and so ends it. */
  readonly own: boolean;
}

interface FailedRun {
  readonly error: OnbehalfError;
  /** When the record may be dropped, in milliseconds since the epoch. */
  readonly endsAt: number;
}

/** The runs under way, by invocation id: exact, where a session id may stand for several users. */
export interface RunRegistry {
  add(invocationId: string, record: RunRecord): void;
  take(invocationId: string): RunRecord | undefined;
  /** Drops every record of a delegation. */
  drop(delegation: Delegation): void;
  /**
   * The delegation of a call: that of its invocation; where the invocation is unknown (inside an `AgentTool`), the
   * one that the code runs under.
   *
   * @throws OnbehalfError why the run has none, or `delegation_missing`
   */
  find(context: ReadonlyContext | undefined): Delegation;
}

const MAX_RUNS = 100_000;
const MAX_FINISHED = 10_000;

/** @param status - of a delegation, as its broker says */
export function createRunRegistry(
  status: (delegation: Delegation) => 'active' | 'ended' | 'unknown',
): RunRegistry {
  const runs = new Map<string, RunRecord>();
  /** Invocations that are over: what still runs of them belongs to nobody, whatever it runs inside of. */
  const finished = new Set<string>();
  const finish = (invocationId: string): void => {
    if (!runs.delete(invocationId)) return;
    makeRoom(finished, MAX_FINISHED);
    finished.add(invocationId);
  };

  /** By its longest time, not by its user token's: a run whose token has expired is still under way, and to be ended. */
  const isOver = (record: RunRecord): boolean => {
    if ('error' in record) return record.endsAt <= Date.now();
    // By both clocks, for the broker may have one of its own.
    return record.delegation.endsAt <= Date.now() && status(record.delegation) !== 'active';
  };

  return {
    add(invocationId, record) {
      // ADK does not tell when a run breaks off, so the oldest are looked at whenever one begins.
      for (const [id, oldest] of runs) {
        if (!isOver(oldest) && runs.size < MAX_RUNS) break;
        finish(id);
      }
      runs.set(invocationId, record);
    },
    take(invocationId) {
      const record = runs.get(invocationId);
      finish(invocationId);
      return record;
    },
    drop(delegation) {
      for (const [id, record] of runs) {
        if ('delegation' in record && record.delegation === delegation) finish(id);
      }
    },
    find(context) {
      const record = context && runs.get(context.invocationId);
      if (record && 'error' in record) throw record.error;
      if (context && finished.has(context.invocationId)) {
        throw new OnbehalfError('delegation_ended', 'the run that this call belongs to has ended', {
          failure: 'reauthentication_required',
        });
      }
      const delegation = record?.delegation ?? currentDelegation();
      if (delegation) return delegation;
      throw new OnbehalfError('delegation_missing', 'this call belongs to no run whose user is known', {
        failure: 'misconfigured',
      });
    },
  };
}
