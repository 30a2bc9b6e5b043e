import { fieldPath } from '../../config/read-config.ts';
import { KINDS, type Kind, type ObjectOf } from '../api/kinds.ts';
import { API_VERSION } from '../api/meta.ts';
import { REQUIRE_APPROVAL } from '../api/tool-reference.ts';
import type { ObjectKey, Problem } from './types.ts';

/** An object as its schema has it, with the defaults; or all that is wrong with it. */
export type Parsed<K extends Kind> =
  | { readonly object: ObjectOf[K]; readonly problems: undefined }
  | { readonly object: undefined; readonly problems: readonly Problem[] };

/** Any JSON object: what a cluster or a file calls an object of a kind. */
type Loose = Readonly<Record<string, unknown>>;

/** DNS-1035 label: what a Service may be called, and with it an Agent. */
const SERVICE_NAME = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Names an object of a kind, whatever its metadata is. */
export function keyOf(kind: ObjectKey['kind'], object: unknown): ObjectKey {
  const { metadata } = loose(object);
  const { namespace, name } = loose(metadata);
  return { kind, namespace: textOr(namespace, 'default'), name: textOr(name, '') };
}

/**
 * Checks an object against the schema of its kind, whoever has or has not done so before. Its status, which is not the
 * user's, is taken as far as it makes sense.
 */
export function parseObject<K extends Kind>(kind: K, object: unknown): Parsed<K> {
  const key = keyOf(kind, object);
  const at = (field: string, message: string): Problem => ({
    object: key,
    field,
    reason: 'Invalid',
    message,
  });
  const { apiVersion, kind: itsKind, metadata, spec, status } = loose(object);
  const foreign = [
    ...(apiVersion === undefined || apiVersion === API_VERSION
      ? []
      : [at('apiVersion', `must be ${API_VERSION}`)]),
    ...(itsKind === undefined || itsKind === kind ? [] : [at('kind', `must be ${kind}`)]),
  ];
  // What is of another group has other fields; to find fault with each helps nobody.
  if (foreign.length > 0) return { object: undefined, problems: foreign };
  const result = KINDS[kind].spec.safeParse(spec, { reportInput: false });
  const problems = [
    ...metadataProblems(kind, metadata, at),
    ...(result.error?.issues ?? []).flatMap(({ path, message }) =>
      message === REQUIRE_APPROVAL.message
        ? approvalProblems(key, path, spec)
        : [at(fieldPath(['spec', ...path]), message)],
    ),
  ];
  if (problems.length > 0) return { object: undefined, problems };
  const known = KINDS[kind].status.safeParse(status);
  const { namespace, name } = key;
  const parsed: unknown = {
    apiVersion: API_VERSION,
    kind,
    metadata: { ...loose(metadata), namespace, name },
    spec: result.data,
    ...(known.success ? { status: known.data } : {}),
  };
  return { object: parsed as ObjectOf[K], problems: undefined };
}

function metadataProblems(
  kind: Kind,
  metadata: unknown,
  at: (field: string, message: string) => Problem,
): readonly Problem[] {
  const { name, namespace } = loose(metadata);
  const problems: Problem[] = [];
  if (typeof name !== 'string' || !NAME.test(name)) {
    problems.push(at('metadata.name', 'must be a DNS subdomain: lower-case letters, digits, "-" and "."'));
  } else if (kind === 'Agent' && !SERVICE_NAME.test(name)) {
    const label = 'a letter, then at most 62 lower-case letters, digits and "-"';
    problems.push(at('metadata.name', `must be ${label}: a Service of this name is made`));
  }
  if (namespace !== undefined && (typeof namespace !== 'string' || !NAMESPACE.test(namespace))) {
    problems.push(at('metadata.namespace', 'must be a DNS label: lower-case letters, digits and "-"'));
  }
  return problems;
}

/** The rule speaks of the reference as a whole; a person wants to know which approval. */
function approvalProblems(
  object: ObjectKey,
  path: readonly PropertyKey[],
  spec: unknown,
): readonly Problem[] {
  const reference = path.reduce<unknown>((value, step) => loose(value)[String(step)], spec);
  const { toolNames, requireApproval } = loose(reference);
  const tools = Array.isArray(toolNames) ? toolNames : [];
  const approvals = Array.isArray(requireApproval) ? requireApproval : [];
  return approvals.flatMap((tool: unknown, index): readonly Problem[] => {
    if (tools.includes(tool)) return [];
    const field = fieldPath(['spec', ...path, 'requireApproval', index]);
    const message = `${JSON.stringify(tool)} is not one of toolNames: name it there too, or take it out here`;
    return [{ object, field, reason: 'UnknownApproval', message }];
  });
}

function loose(value: unknown): Loose {
  return typeof value === 'object' && value !== null ? (value as Loose) : {};
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}
