import { recording } from '../compile/dependencies.ts';
import { parseObject } from '../compile/parse.ts';
import { checkTokenService, type TokenServiceCheck } from './check-token-service.ts';
import { missingData, tokenServiceReferences } from './data-references.ts';
import { keyText } from './keys.ts';
import { createRechecks } from './rechecks.ts';
import type { Reconcile, ReconcileContext } from './reconciler.ts';
import { writeStatus } from './status-writer.ts';
import { tokenServiceStatus } from './statuses.ts';

/** Makes the reconcile of TokenServices: the status says whether tokens can be exchanged there, found out anew now and then. */
export function tokenServiceReconciler(context: ReconcileContext): Reconcile {
  const { world, index, texts, fetch, now } = context;
  const checks = createRechecks<TokenServiceCheck>({ now });
  return async (key, signal) => {
    const id = keyText(key);
    const object = world.object('TokenService', key.namespace, key.name);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      index.forget(id);
      checks.forget(id);
      return { kind: 'done' };
    }
    const { lookUp, dependencies } = recording({ ...world, text: texts.text });
    const parsed = parseObject('TokenService', object);
    if (parsed.problems) {
      index.set(id, []);
      const status = tokenServiceStatus({ object, problems: parsed.problems, now: now() }, NOT_LOOKED);
      await writeStatus<'TokenService'>(object, status, { ...context, signal });
      return { kind: 'waits' };
    }
    const { spec, metadata } = parsed.object;
    const problems = missingData(key, tokenServiceReferences(spec), lookUp);
    index.set(id, dependencies());
    const { value, nextMs } = await checks.look(id, `${metadata.uid}@${metadata.generation}`, async () => {
      const check = await checkTokenService(spec, fetch, signal);
      return { value: check, ok: check.Ready.status !== 'False' };
    });
    const status = tokenServiceStatus({ object, problems, now: now() }, value);
    await writeStatus<'TokenService'>(object, status, { ...context, signal });
    return { kind: 'again', afterMs: nextMs };
  };
}

/** Nobody looks at an STS whose spec is wrong. */
const NOT_LOOKED: TokenServiceCheck = {
  Ready: { status: 'Unknown', reason: 'NotChecked', message: 'The spec has to be valid first.' },
};
