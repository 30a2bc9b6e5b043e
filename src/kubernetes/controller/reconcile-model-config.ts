import { recording } from '../compile/dependencies.ts';
import { parseObject } from '../compile/parse.ts';
import { missingData, modelReferences } from './data-references.ts';
import { keyText } from './keys.ts';
import type { Reconcile, ReconcileContext } from './reconciler.ts';
import { writeStatus } from './status-writer.ts';
import { modelStatus } from './statuses.ts';

const READY = { status: 'True', reason: 'Ready', message: 'Agents can use it.' } as const;

/** Makes the reconcile of ModelConfigs: the status says whether the spec is valid, and whether its Secrets are there. */
export function modelConfigReconciler(context: ReconcileContext): Reconcile {
  const { world, index, texts, now } = context;
  return async (key, signal) => {
    const object = world.object('ModelConfig', key.namespace, key.name);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      index.forget(keyText(key));
      return { kind: 'done' };
    }
    const { lookUp, dependencies } = recording({ ...world, text: texts.text });
    const parsed = parseObject('ModelConfig', object);
    const problems = parsed.object
      ? missingData(key, modelReferences(parsed.object.spec), lookUp)
      : parsed.problems;
    index.set(keyText(key), dependencies());
    const status = modelStatus({ object, problems, ready: READY, now: now() });
    await writeStatus<'ModelConfig'>(object, status, { ...context, signal });
    return { kind: problems.length > 0 ? 'waits' : 'done' };
  };
}
