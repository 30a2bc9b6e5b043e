import { GROUP } from '../api/meta.ts';
import { convert } from './convert.ts';
import { isObject, type JsonObject, namespaceOf, objectOf, textMember } from './json.ts';
import { GIVEN_KINDS, type GivenKind, givenKind, isGiven, isOfKagent, saysMcp } from './kinds.ts';
import { serverReferences } from './references.ts';
import { complain, createReport, inner, type Report, spotAt, warn } from './spot.ts';
import type { GivenKey, KagentImport } from './types.ts';

/** One object of the set, and what becomes of it. */
interface Draft {
  readonly given: unknown;
  /** What there is to say of it; `undefined`: nothing, it is handed on. */
  readonly report?: Report | undefined;
  /** One of kagent's kinds; `undefined`: it is handed on as it is. */
  readonly kind?: GivenKind | undefined;
  readonly made?: JsonObject | undefined;
}

/**
 * Turns objects of kagent (`kagent.dev/v1alpha2` Agent, RemoteMCPServer and ModelConfig, MCPServer of kmcp, and a
 * Service that is an MCP server) into objects of this group, with the same names and namespaces. All others are handed
 * on as they are. What tokens are for is taken from `stsAudience` and `tokenExchange`, or, since kagent's API server
 * drops fields that it does not know, from the annotations `onbehalf.dev/sts-audience`, `onbehalf.dev/token-exchange`
 * and `onbehalf.dev/tool-targets`.
 *
 * Every field is taken, told as a warning, or a problem: where without it the agent could do what its author forbade.
 * An object with a problem is left out.
 *
 * @param objects - parsed manifests, of any kind; it never throws, whatever they are
 */
export function importKagent(objects: readonly unknown[]): KagentImport {
  const named = namedServices(objects);
  const drafts = objects.map((object) => draft(object, named));
  checkNames(drafts);
  checkServers(drafts);
  return {
    objects: drafts.flatMap(({ given, report, kind, made }) => {
      if (report !== undefined && report.problems.length > 0) return [];
      return [kind === undefined ? given : made];
    }),
    problems: drafts.flatMap(({ report }) => report?.problems ?? []),
    warnings: drafts.flatMap(({ report }) => report?.warnings ?? []),
  };
}

function draft(given: unknown, named: ReadonlySet<string>): Draft {
  if (!isObject(given)) return { given };
  const kind = givenKind(given);
  if (kind !== undefined && isGiven(given, kind)) {
    if (kind === 'Service' && !saysMcp(given) && !named.has(idOf(given))) return { given };
    const report = createReport(keyOf(given));
    return { given, report, kind, made: convert(given, kind, report) };
  }
  return isOfKagent(given) ? { given, report: unread(given, kind) } : { given };
}

/** What to say of an object of kagent that is not read. */
function unread(given: JsonObject, kind: GivenKind | undefined): Report {
  const report = createReport(keyOf(given));
  if (kind === undefined || kind === 'Service') {
    warn(inner(spotAt(report, []), ['kind']), 'is not read: nothing comes of it here');
  } else {
    const message = `is not read in this version: give it as ${GIVEN_KINDS[kind].apiVersion}`;
    complain(inner(spotAt(report, []), ['apiVersion']), 'Unsupported', message);
  }
  return report;
}

/** Two of kagent's kinds may have objects of one name, which would be one object here. */
function checkNames(drafts: readonly Draft[]): void {
  const users = new Map<string, Draft[]>();
  for (const item of drafts) {
    const object = objectOf(item.given);
    const own = textMember(object, 'apiVersion')?.startsWith(`${GROUP}/`) === true;
    const kind = item.kind === undefined ? textMember(object, 'kind') : GIVEN_KINDS[item.kind].becomes;
    if (item.kind === undefined && !own) continue;
    const id = `${kind} ${idOf(object)}`;
    users.set(id, [...(users.get(id) ?? []), item]);
  }
  for (const items of users.values()) {
    if (items.length === 1) continue;
    for (const item of items) {
      if (item.report === undefined) continue;
      const message = taken(items.filter((other) => other !== item));
      complain(inner(spotAt(item.report, []), ['metadata', 'name']), 'Invalid', message);
    }
  }
}

function taken(others: readonly Draft[]): string {
  const kinds = others.map(({ given }) => {
    const { apiVersion, kind } = keyOf(objectOf(given));
    return `${kind} (${apiVersion})`;
  });
  return `is also the name of another object, ${kinds.join(', ')}, and both would be one here: leave one out`;
}

/** A reference to one kind must not find what was of another: tokens would go to another server. */
function checkServers(drafts: readonly Draft[]): void {
  const servers = drafts.filter(
    ({ kind }) => kind !== undefined && GIVEN_KINDS[kind].becomes === 'RemoteMCPServer',
  );
  const names = new Map<string, Set<string>>();
  for (const { given, kind = '' } of servers) {
    const id = idOf(objectOf(given));
    names.set(id, (names.get(id) ?? new Set<string>()).add(kind));
  }
  for (const { given, kind, report } of drafts) {
    if (kind !== 'Agent' || report === undefined) continue;
    for (const reference of serverReferences(objectOf(given))) {
      const kinds = names.get(`${reference.namespace}/${reference.name}`);
      if (kinds === undefined || kinds.has(reference.kind)) continue;
      const field = ['spec', 'declarative', 'tools', reference.index, 'mcpServer', 'kind'];
      const message = `says ${reference.kind}, but the object of that name is of kind ${[...kinds].join(', ')}`;
      complain(inner(spotAt(report, []), field), 'NotFound', message);
    }
  }
}

/** The Services that an agent of kagent names as MCP servers. */
function namedServices(objects: readonly unknown[]): ReadonlySet<string> {
  const agents = objects.filter((object) => isGiven(object, 'Agent'));
  const references = agents.flatMap(serverReferences).filter(({ kind }) => kind === 'Service');
  return new Set(references.map(({ namespace, name }) => `${namespace}/${name}`));
}

function keyOf(object: JsonObject): GivenKey {
  return {
    apiVersion: textMember(object, 'apiVersion') ?? '',
    kind: textMember(object, 'kind') ?? '',
    namespace: namespaceOf(object),
    name: textMember(objectOf(object.metadata), 'name') ?? '',
  };
}

function idOf(object: JsonObject): string {
  const { namespace, name } = keyOf(object);
  return `${namespace}/${name}`;
}
