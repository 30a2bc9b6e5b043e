import { KINDS, type Kind } from '../../../src/kubernetes/api/kinds.ts';
import { API_VERSION, GROUP, VERSION } from '../../../src/kubernetes/api/meta.ts';
import { crdRules } from '../../kubernetes/api/crd-rules.ts';
import type { Finding, Verdict } from '../../kubernetes/api/verdict.ts';
import type { Api } from '../support/kube-client.ts';

interface Cause {
  readonly message: string;
  readonly field: string;
}

/** What rules say. */
const MESSAGES = new Set(crdRules().map((rule) => rule.slice(rule.indexOf(': ') + 2)));

/** What the API server says of a spec. Nothing is stored. */
export async function serverVerdict(api: Api, kind: Kind, spec: unknown): Promise<Verdict> {
  const path = `/apis/${GROUP}/${VERSION}/namespaces/default/${KINDS[kind].plural}`;
  const query = new URLSearchParams({ dryRun: 'All', fieldValidation: 'Strict' });
  const { status, body } = await api('POST', `${path}?${query}`, {
    body: { apiVersion: API_VERSION, kind, metadata: { name: 'one' }, spec },
  });
  if (status === 201) return { findings: [], spec: body.spec };
  if (status === 400) return { findings: unknownFields(String(body.message)) };
  if (status !== 422) throw new Error(`The API server answered with ${status}: ${JSON.stringify(body)}`);
  return { findings: (body.details.causes as readonly Cause[]).map(findingOf) };
}

/** An unknown field is told before the schema is looked at, and in words. */
function unknownFields(message: string): readonly Finding[] {
  const fields = [...message.matchAll(/unknown field "([^"]+)"/g)].map(([, field = '']) => field);
  if (fields.length === 0) throw new Error(`The API server refused it: ${message}`);
  return fields.map((field) => ({ field, message: 'unknown field', byRule: false }));
}

/** A rule is told by its message alone; all else begins with the value, or the kind of fault. */
function findingOf({ field, message }: Cause): Finding {
  const rule = message.replace(/^Invalid value: /, '');
  const byRule = message !== rule && MESSAGES.has(rule);
  return { field, message: byRule ? rule : message, byRule };
}
