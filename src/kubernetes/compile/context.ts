import type { Agent } from '../api/agent.ts';
import type { Kind, ObjectOf } from '../api/kinds.ts';
import type { AllowedNamespaces, ObjectReference } from '../api/references.ts';
import { type Place, textOf } from './dependencies.ts';
import { keyOf, parseObject } from './parse.ts';
import { refusal } from './permission.ts';
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
  /** The object that a reference names, if it is there, is valid and permits the Agent; else why not is reported. */
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
    if (found === undefined) {
      report(at, 'NotFound', `there is no ${what}: create it, or name another one`);
      return undefined;
    }
    const { object, problems } = parseObject(kind, found);
    if (object === undefined) {
      report.add(problems ?? []);
      return undefined;
    }
    const { allowedNamespaces } = object.spec as { readonly allowedNamespaces?: AllowedNamespaces };
    const why = refusal(allowedNamespaces, { to: reference.namespace, from: namespace }, lookUp);
    if (why === undefined) return object;
    report(at, 'NotPermitted', `${what} does not permit this Agent: ${why}`);
    return undefined;
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
