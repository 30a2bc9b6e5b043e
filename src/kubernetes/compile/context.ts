import type { Agent } from '../api/agent.ts';
import type { Kind, ObjectOf } from '../api/kinds.ts';
import type { ObjectReference } from '../api/references.ts';
import { type Place, textOf } from './dependencies.ts';
import { keyOf, parseObject } from './parse.ts';
import { allowedBy, refusal } from './permission.ts';
import { createPod, type Pod } from './pod.ts';
import { type At, createReport, type Report } from './report.ts';
import type { LookUp, ObjectKey } from './types.ts';

/** What the parts of one compilation share: the Agent, what it refers to, and what has been found so far. */
export interface Context {
  readonly agent: Agent;
  readonly key: ObjectKey;
  /** Of the Agent: the one that all objects it refers to must permit, and that the pods are in. */
  readonly namespace: string;
  readonly lookUp: LookUp;
  /** What the pods need beside the config. */
  readonly pod: Pod;
  readonly report: Report;
  /** The object that a reference names, if it is there, permits the Agent and is valid; else why not is reported. */
  readonly find: <K extends Kind>(kind: K, reference: Place, at: At) => ObjectOf[K] | undefined;
}

/** Starts the compilation of a valid Agent. */
export function createContext(agent: Agent, lookUp: LookUp): Context {
  const key = keyOf('Agent', agent);
  const { namespace } = key;
  const report = createReport();
  const find: Context['find'] = (kind, reference, at) => {
    const found = lookUp.object(kind, reference.namespace, reference.name);
    const what = textOf({ kind, ...reference });
    // Before all else: whoever may not use it is not told whether it is there, nor what is wrong with it.
    const why = refusal(allowedBy(found), { to: reference.namespace, from: namespace }, lookUp);
    if (why !== undefined) {
      const wayOut = `correct the reference, use one of namespace ${namespace}, or ask its owners to permit it`;
      report(at, 'NotPermitted', `${what} cannot be used: ${why}; ${wayOut}`);
      return undefined;
    }
    if (found === undefined) {
      report(at, 'NotFound', `there is no ${what}: create it, or name another one`);
      return undefined;
    }
    const { object, problems } = parseObject(kind, found);
    if (object === undefined) report.add(problems ?? []);
    return object;
  };
  return { agent, key, namespace, lookUp, pod: createPod(namespace, lookUp, report), report, find };
}

/** A reference with its namespace, which defaults to that of the object that refers. */
export function placed({ name, namespace }: ObjectReference, holder: Pick<ObjectKey, 'namespace'>): Place {
  return { name, namespace: namespace ?? holder.namespace };
}

/** The place of a field of the Agent. */
export function atAgent({ key }: Context, field: string): At {
  return { object: key, field };
}
