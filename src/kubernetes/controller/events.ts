import { randomBytes } from 'node:crypto';
import type { Kind, ObjectOf } from '../api/kinds.ts';
import type { Condition } from '../api/meta.ts';
import { RESOURCES } from '../client/resources.ts';
import type { KubeClient, KubeObject } from '../client/types.ts';
import { isTerminating } from './obstacles.ts';

/** Tells people of transitions, as `kubectl describe` and `kubectl events` show them. */
export interface EventRecorder {
  /** Compares the conditions that an object has with its new ones. Never fails: an event that is lost is no harm. */
  readonly transitions: (
    object: ObjectOf[Kind],
    conditions: readonly Condition[],
    signal: AbortSignal,
  ) => Promise<void>;
}

export interface EventOptions {
  readonly client: Pick<KubeClient, 'create'>;
  /** Name of this instance, e.g. of its pod. */
  readonly instance: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

/** How much may be told. */
interface Allowance {
  /** So many at once. */
  readonly burst: number;
  /** Then one in that time, in milliseconds. */
  readonly eachMs: number;
}

/** An event, before it is one of an object. */
export interface Transition {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

const CONTROLLER = 'onbehalf.dev/controller';
/** Longest note and name that the API server takes. */
const LONGEST_NOTE = 1_024;
const LONGEST_NAME = 253;
/** The same is not told again within this time, in milliseconds. */
const SAME_MS = 600_000;
const MOST_REMEMBERED = 1_000;
/** Of all namespaces. */
const ALL: Allowance = { burst: 50, eachMs: 1_000 };
/** Of one namespace: whoever has much to tell must not silence the others. */
const NAMESPACE: Allowance = { burst: 20, eachMs: 5_000 };
/** What every object goes through. */
const ORDINARY: ReadonlySet<string> = new Set(['Progressing', 'Pending', 'NotAccepted', 'UnresolvedRefs']);

/**
 * The transitions worth telling: a condition that became a problem, or another problem; and one that is no problem any
 * more. An object that comes up as it should has none.
 */
export function transitionsOf(
  before: readonly Condition[],
  after: readonly Condition[],
): readonly Transition[] {
  return after.flatMap(({ type, status, reason, message }): readonly Transition[] => {
    const old = before.find((one) => one.type === type);
    const wasProblem = old !== undefined && isProblem(old);
    if (isProblem({ status, reason })) {
      const isNew = old?.status !== status || old.reason !== reason;
      return isNew ? [{ type: 'Warning', reason, note: `${type}: ${message}` }] : [];
    }
    return wasProblem && status === 'True' ? [{ type: 'Normal', reason, note: `${type}: ${message}` }] : [];
  });
}

function isProblem({ status, reason }: Pick<Condition, 'status' | 'reason'>): boolean {
  return status === 'False' && !ORDINARY.has(reason);
}

interface Bucket {
  tokens: number;
  filled: number;
}

/** Makes a recorder that does not repeat itself, and stops when there is too much to tell, of one namespace or of all. */
export function createEventRecorder({ client, instance, now, onError }: EventOptions): EventRecorder {
  const told = new Map<string, number>();
  const all: Bucket = { tokens: ALL.burst, filled: now() };
  const byNamespace = new Map<string, Bucket>();

  const isNews = (id: string, namespace: string): boolean => {
    const time = now();
    if ((told.get(id) ?? Number.NEGATIVE_INFINITY) + SAME_MS > time) return false;
    const own = byNamespace.get(namespace) ?? { tokens: NAMESPACE.burst, filled: time };
    put(byNamespace, namespace, own);
    fill(own, NAMESPACE, time);
    fill(all, ALL, time);
    if (own.tokens < 1 || all.tokens < 1) return false;
    own.tokens -= 1;
    all.tokens -= 1;
    put(told, id, time);
    return true;
  };

  return {
    async transitions(object, conditions, signal) {
      for (const transition of transitionsOf(object.status?.conditions ?? [], conditions)) {
        const { type, reason, note } = transition;
        const id = JSON.stringify([object.metadata.uid, type, reason, note]);
        if (!isNews(id, object.metadata.namespace ?? '')) continue;
        const event = eventOf(object, transition, { instance, now: now() });
        await client.create(RESOURCES.Event, event, signal).catch((error: unknown) => {
          // Nobody reads it any more.
          if (!isTerminating(error)) onError(error);
        });
      }
    },
  };
}

function fill(bucket: Bucket, { burst, eachMs }: Allowance, time: number): void {
  bucket.tokens = Math.min(burst, bucket.tokens + (time - bucket.filled) / eachMs);
  bucket.filled = time;
}

/** Puts it in as the newest; the oldest is forgotten where there are too many. */
function put<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  const [oldest] = map.keys();
  if (map.size >= MOST_REMEMBERED && oldest !== undefined) map.delete(oldest);
  map.set(key, value);
}

function eventOf(
  { apiVersion, kind, metadata }: ObjectOf[Kind],
  { type, reason, note }: Transition,
  { instance, now }: { readonly instance: string; readonly now: number },
): KubeObject {
  const { name, namespace, uid } = metadata;
  const suffix = `.${randomBytes(8).toString('hex')}`;
  return {
    apiVersion: RESOURCES.Event.apiVersion,
    kind: 'Event',
    metadata: { name: `${name.slice(0, LONGEST_NAME - suffix.length)}${suffix}`, namespace },
    // metav1.MicroTime
    eventTime: new Date(now).toISOString().replace('Z', '000Z'),
    reportingController: CONTROLLER,
    reportingInstance: instance.slice(0, 128),
    action: 'Reconcile',
    reason: reason.slice(0, 128),
    regarding: { apiVersion, kind, name, namespace, uid },
    note: note.length > LONGEST_NOTE ? `${note.slice(0, LONGEST_NOTE - 3)}...` : note,
    type,
  };
}
