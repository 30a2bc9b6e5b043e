import type { BrokerObserver, ExchangeEvent, LookUpEvent } from '../broker/observer.ts';
import { counter, gauge, type Metric, prometheusText } from '../telemetry/prometheus.ts';

/** Counts what an agent server does. Nothing in it is of a user. */
export interface AgentMetrics {
  /** Hears of exchanges and look-ups of all its brokers. */
  readonly observer: BrokerObserver;
  /** An answer over HTTP. */
  answered(status: number): void;
  /** A run that has ended, by the state in which it left its task. */
  ended(state: string): void;
  /** A reading of changed files. */
  reloaded(result: 'reloaded' | 'refused'): void;
  /** The text format of Prometheus. */
  text(sizes: AgentSizes): string;
}

/** What there is of, at the moment. */
export interface AgentSizes {
  readonly runs: number;
  readonly contexts: number;
  /** Tokens that were issued and are kept. */
  readonly tokens: number;
  /** Whether new requests are taken. */
  readonly ready: boolean;
}

/** @param observer - who else hears of exchanges */
export function createAgentMetrics(observer: BrokerObserver = {}): AgentMetrics {
  const requests = new Map<string, number>();
  const runs = new Map<string, number>();
  const exchanges = new Map<string, number>();
  const lookUps = new Map<string, number>();
  const reloads = new Map<string, number>([
    ['reloaded', 0],
    ['refused', 0],
  ]);
  let exchangeMs = 0;
  const count = (counts: Map<string, number>, what: string): void => {
    counts.set(what, (counts.get(what) ?? 0) + 1);
  };
  return {
    observer: {
      ...observer,
      exchange(event: ExchangeEvent) {
        count(exchanges, event.outcome);
        exchangeMs += event.durationMs;
        observer.exchange?.(event);
      },
      lookUp(event: LookUpEvent) {
        count(lookUps, event.result);
        observer.lookUp?.(event);
      },
    },
    answered: (status) => count(requests, String(status)),
    ended: (state) => count(runs, state),
    reloaded: (result) => count(reloads, result),
    text(sizes) {
      return prometheusText('onbehalf_agent', [
        counter('requests_total', 'Requests over HTTP, by status.', by('status', requests)),
        counter('runs_total', 'Runs that have ended, by the state of their task.', by('state', runs)),
        gauge('runs', 'Runs under way.', sizes.runs),
        gauge('contexts', 'Conversations that are remembered.', sizes.contexts),
        gauge('tokens', 'Tokens that were exchanged and are kept.', sizes.tokens),
        counter('exchanges_total', 'Token exchanges, by outcome.', by('outcome', exchanges)),
        counter('exchange_seconds_total', 'Time that token exchanges took.', exchangeMs / 1000),
        counter('token_lookups_total', 'Requests for a token, by where it came from.', by('result', lookUps)),
        counter('config_reloads_total', 'Readings of changed files, by result.', by('result', reloads)),
        gauge('ready', '1 when /ready answers 200.', Number(sizes.ready)),
      ]);
    },
  };
}

const by = (label: string, counts: ReadonlyMap<string, number>): Metric['value'] => ({
  label,
  values: Object.fromEntries(counts),
});
