import { recording } from '../compile/dependencies.ts';
import { parseObject } from '../compile/parse.ts';
import { checkTokenService, knownOfTokenService, type TokenServiceCheck } from './check-token-service.ts';
import { missingData, tokenServiceReferences } from './data-references.ts';
import { keyText } from './keys.ts';
import { createLooks } from './looks.ts';
import type { Reconcile, ReconcileContext } from './reconciler.ts';
import { writeStatus } from './status-writer.ts';
import { tokenServiceStatus } from './statuses.ts';

/** Makes the reconcile of TokenServices: the status says whether tokens can be exchanged there, found out anew now and then. */
export function tokenServiceReconciler(context: ReconcileContext): Reconcile {
  const { world, index, texts, fetch, now, pool, enqueue, onError } = context;
  const checks = createLooks<TokenServiceCheck>({ pool, now, onEnd: enqueue, onError });
  return async (key, signal) => {
    const id = keyText(key);
    const object = world.object('TokenService', key.namespace, key.name);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
      index.forget(id);
      checks.forget(key);
      return { kind: 'done' };
    }
    const { lookUp, dependencies } = recording({ ...world, text: texts.text });
    const parsed = parseObject('TokenService', object);
    const spec = parsed.object?.spec;
    const problems = parsed.object
      ? missingData(key, tokenServiceReferences(parsed.object.spec), lookUp)
      : parsed.problems;
    index.set(id, dependencies());
    const tell = async (check: TokenServiceCheck): Promise<void> => {
      const status = tokenServiceStatus({ object, problems, now: now() }, check);
      await writeStatus<'TokenService'>(object, status, { ...context, signal });
    };
    if (spec === undefined || problems.length > 0) {
      checks.forget(key);
      await tell(NOT_LOOKED);
      return { kind: 'waits' };
    }
    const known = knownOfTokenService(spec);
    if (known !== undefined) {
      checks.forget(key);
      await tell(known);
      return { kind: 'done' };
    }
    const { uid, generation } = object.metadata;
    const { value, nextMs } = checks.find(key, {
      version: `${uid}@${generation}`,
      async look(until) {
        const check = await checkTokenService(spec, fetch, until);
        return { value: check, ok: check.Ready.status !== 'False' };
      },
      signal,
    });
    // Until the first look has ended there is nothing to tell; its end brings it back.
    if (value !== undefined) await tell(value);
    return nextMs === undefined ? { kind: 'done' } : { kind: 'again', afterMs: nextMs };
  };
}

/** Nobody looks at an STS whose spec is wrong, or lacks something. */
const NOT_LOOKED: TokenServiceCheck = {
  Ready: { status: 'Unknown', reason: 'NotChecked', message: 'The spec has to be valid first.' },
};
