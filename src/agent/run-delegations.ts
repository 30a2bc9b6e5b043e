import type { Delegation } from '../broker/delegation.ts';
import type { Broker } from '../broker/types.ts';
import { OnbehalfError } from '../core/errors.ts';
import type { AgentRun } from './caller.ts';

/** Whom the calls of a run are for, at each token service. */
export interface RunDelegations {
  /**
   * The run's delegation, begun at the first call. Nothing is exchanged.
   *
   * @param session - runs of one session and user share tokens while they overlap
   * @throws OnbehalfError `delegation_missing` outside of a run, `delegation_ended` after it, or what `Broker.begin` throws
   */
  of(run: AgentRun | undefined, broker: Broker, session: string): Delegation;
  /** Ends what the run began. Nothing more is begun for it. */
  endRun(run: AgentRun): void;
}

export function createRunDelegations(): RunDelegations {
  // By the run's object: what else it is called may stand for several.
  const begun = new WeakMap<AgentRun, Map<Broker, Delegation>>();
  const ended = new WeakSet<AgentRun>();
  return {
    of(run, broker, session) {
      if (!run) {
        throw new OnbehalfError('delegation_missing', 'this call belongs to no run whose user is known', {
          failure: 'misconfigured',
        });
      }
      if (ended.has(run)) {
        throw new OnbehalfError('delegation_ended', 'the run that this call belongs to has ended', {
          failure: 'reauthentication_required',
        });
      }
      const own = begun.get(run) ?? new Map<Broker, Delegation>();
      begun.set(run, own);
      const known = own.get(broker);
      if (known) return known;
      const { token: subjectToken, type: subjectTokenType } = run.caller.token() ?? {};
      const delegation = broker.begin({ subjectToken, subjectTokenType, session });
      own.set(broker, delegation);
      return delegation;
    },
    endRun(run) {
      ended.add(run);
      for (const [broker, delegation] of begun.get(run) ?? []) broker.end(delegation);
      begun.delete(run);
    },
  };
}
