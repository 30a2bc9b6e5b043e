import { KINDS } from '../api/kinds.ts';
import { API_VERSION, namespaceName, objectName } from '../api/meta.ts';
import { agentFields, withDescriptions } from './agent-fields.ts';
import { annotatedAuthentication, checkAnnotations } from './annotations.ts';
import { isObject, type JsonObject, namespaceOf, objectOf, withoutUndefined } from './json.ts';
import { GIVEN_KINDS, type GivenKind } from './kinds.ts';
import { deploymentLast, modelFields, withProvider } from './model-fields.ts';
import { checkReferences } from './references.ts';
import { mcpServerFields, mcpServerUrl, remoteServerFields } from './server-fields.ts';
import { serviceSpec } from './service.ts';
import { complain, firstByPath, inner, originOf, type Report, type Spot, spotAt } from './spot.ts';
import { withAnnotations, withToolTargets } from './targets.ts';
import { walk } from './walk.ts';

/** Makes the spec here of an object of kagent; `undefined` after a complaint. */
type MakeSpec = (object: JsonObject, spot: Spot) => JsonObject | undefined;

const MAKE: Readonly<Record<GivenKind, MakeSpec>> = {
  Agent: (object, spot) => {
    checkReferences(object, spot);
    const spec = withDescriptions(walk(objectOf(object.spec), agentFields, inner(spot, ['spec'])));
    const authentication = annotatedAuthentication(object, spot);
    const whole = withToolTargets(withAnnotations(spec, object, spot), object, spot);
    return authentication === undefined ? whole : { ...whole, authentication };
  },
  RemoteMCPServer: (object, spot) =>
    withAnnotations(walk(objectOf(object.spec), remoteServerFields, inner(spot, ['spec'])), object, spot),
  ModelConfig: (object, spot) => {
    const given = deploymentLast(objectOf(object.spec));
    return withProvider(walk(given, modelFields(given), inner(spot, ['spec'])));
  },
  MCPServer: (object, spot) => {
    const there = inner(spot, ['spec']);
    const { httpTransport: _, ...spec } = walk(objectOf(object.spec), mcpServerFields, there);
    const url = mcpServerUrl(objectOf(object.spec), hostOf(object), there);
    const described = { description: `MCPServer ${nameOf(object)} of kmcp`, ...spec };
    return url === undefined ? undefined : withAnnotations({ ...described, url }, object, spot);
  },
  Service: (object, spot) => {
    const spec = serviceSpec(object, hostOf(object), spot);
    if (spec === undefined) return undefined;
    return withAnnotations({ description: `Service ${nameOf(object)}`, ...spec }, object, spot);
  },
};

/**
 * The object here that an object of kagent becomes. The result is right where the report has no problems.
 *
 * @param object - of the kind, and of the version that is read
 */
export function convert(object: JsonObject, kind: GivenKind, report: Report): JsonObject | undefined {
  const spot = spotAt(report, []);
  const { becomes, annotations } = GIVEN_KINDS[kind];
  if (!hasName(object, spot)) return undefined;
  if (kind !== 'Service' && !isObject(object.spec))
    complain(inner(spot, ['spec']), 'Invalid', 'must be given');
  checkAnnotations(object, annotations, spot);
  const spec = MAKE[kind](object, spot);
  if (spec === undefined || report.problems.length > 0) return undefined;
  checkSpec(spec, becomes, report);
  // The rest of the metadata belongs to what made and keeps the original: a copy of it would be kept, or pruned, too.
  const { name, namespace } = objectOf(object.metadata);
  return { apiVersion: API_VERSION, kind: becomes, metadata: withoutUndefined({ name, namespace }), spec };
}

function checkSpec(spec: JsonObject, kind: keyof typeof KINDS, report: Report): void {
  const { error } = KINDS[kind].spec.safeParse(spec, { reportInput: false });
  const issues = (error?.issues ?? []).map(({ path, message }) => ({
    path: originOf(report, ['spec', ...path]),
    message,
  }));
  for (const [field, message] of firstByPath(issues)) {
    report.problems.push({ object: report.object, field, reason: 'Invalid', message });
  }
}

function hasName(object: JsonObject, spot: Spot): boolean {
  const { name, namespace } = objectOf(object.metadata);
  const named = objectName.safeParse(name).success;
  const placed = namespace === undefined || namespaceName.safeParse(namespace).success;
  if (!named) complain(inner(spot, ['metadata', 'name']), 'Invalid', 'must be the name of an object');
  if (!placed) complain(inner(spot, ['metadata', 'namespace']), 'Invalid', 'must be the name of a namespace');
  return named && placed;
}

/** The name of the Service in the cluster. With `.svc`: `NAME.NAMESPACE` alone may be somebody's domain. */
function hostOf(object: JsonObject): string {
  return `${String(objectOf(object.metadata).name)}.${namespaceOf(object)}.svc`;
}

function nameOf(object: JsonObject): string {
  return `${namespaceOf(object)}/${String(objectOf(object.metadata).name)}`;
}
