import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A write of the controller, as the API server has noted it. */
export interface Write {
  /** The credential that it was made with: each controller has its own. */
  readonly by: string;
  /** `resource`, or `resource/subresource`. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  /** HTTP status of the answer: 201 where an object was made. */
  readonly code: number;
  /** When the request came and when it was answered, milliseconds since 1970, by the API server's clock. */
  readonly from: number;
  readonly to: number;
  /** What the Lease is after it, where it is one. */
  readonly lease?: LeaseSpec | undefined;
}

export interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseTransitions: number;
  readonly leaseDurationSeconds: number;
}

/** What the API server notes down. */
export interface Audit {
  /** For kube-apiserver. */
  readonly flags: Readonly<Record<string, string>>;
  /** All writes that the controllers have tried, in the order in which they came. */
  writes(): Promise<readonly Write[]>;
  remove(): Promise<void>;
}

/** Only who did what with which object, but for the Lease: nothing of a Secret is noted down. */
const policy = (user: string): unknown => ({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'ResponseStarted'],
  rules: [
    { level: 'None', verbs: ['get', 'list', 'watch'] },
    {
      ...{ level: 'RequestResponse', users: [user] },
      resources: [{ group: 'coordination.k8s.io', resources: ['leases'] }],
    },
    { level: 'Metadata', users: [user] },
    { level: 'None' },
  ],
});

/** @param user - whose writes are noted down */
export async function createAudit(user: string): Promise<Audit> {
  const folder = await mkdtemp(join(tmpdir(), 'onbehalf-audit-'));
  const [policyFile, log] = [join(folder, 'policy.json'), join(folder, 'log')];
  await Promise.all([writeFile(policyFile, JSON.stringify(policy(user))), writeFile(log, '')]);
  return {
    flags: { 'audit-policy-file': policyFile, 'audit-log-path': log, 'audit-log-mode': 'blocking' },
    async writes() {
      const lines = (await readFile(log, 'utf8')).split('\n');
      return lines.flatMap(writeOf).sort((one, other) => one.from - other.from);
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

interface Event {
  readonly verb: string;
  readonly user: { readonly extra?: Readonly<Record<string, readonly string[]>> };
  readonly objectRef?: Readonly<
    Record<'resource' | 'subresource' | 'namespace' | 'name', string | undefined>
  >;
  readonly responseStatus?: { readonly code?: number };
  readonly responseObject?: { readonly spec?: LeaseSpec };
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
}

/** None of a line that was broken off when the API server was killed. */
function writeOf(line: string): readonly Write[] {
  let event: Event;
  try {
    event = JSON.parse(line) as Event;
  } catch {
    return [];
  }
  const { resource = '', subresource, namespace = '', name = '' } = event.objectRef ?? {};
  return [
    {
      by: event.user.extra?.['authentication.kubernetes.io/credential-id']?.[0] ?? '',
      resource: subresource ? `${resource}/${subresource}` : resource,
      ...{ namespace, name },
      code: event.responseStatus?.code ?? 0,
      from: Date.parse(event.requestReceivedTimestamp),
      to: Date.parse(event.stageTimestamp),
      ...(resource === 'leases' ? { lease: event.responseObject?.spec } : {}),
    },
  ];
}

const CREATED = 201;
/** What the API server notes of a request whose client has gone. */
const BROKEN_OFF = 504;
/** The kinds of objects that are made for an agent. */
const CHILDREN: ReadonlySet<string> = new Set(['secrets', 'services', 'serviceaccounts', 'deployments']);

/** How often each child was made, by `resource namespace/name`. */
export function creations(writes: readonly Write[]): Map<string, number> {
  const made = new Map<string, number>();
  for (const id of childrenWritten(writes, CREATED)) made.set(id, (made.get(id) ?? 0) + 1);
  return made;
}

/** The children, as {@link creations} calls them, of the writes whose answer nobody waited for: they may have been carried out. */
export function unanswered(writes: readonly Write[]): readonly string[] {
  return childrenWritten(writes, BROKEN_OFF);
}

function childrenWritten(writes: readonly Write[], wanted: number): readonly string[] {
  return writes.flatMap(({ resource, namespace, name, code }) =>
    code === wanted && CHILDREN.has(resource) ? [`${resource} ${namespace}/${name}`] : [],
  );
}

/**
 * Writes that were made by somebody who did not hold the Lease when they came, or held it for longer than it was granted,
 * and changes of the holder that were not counted. Empty: there was one leader at a time.
 */
export function withoutLease(writes: readonly Write[]): readonly string[] {
  const wrong: string[] = [];
  const leases = writes.filter(({ lease, code }) => lease !== undefined && code < 300);
  let last: LeaseSpec | undefined;
  for (const { lease, by } of leases) {
    const isNew =
      last !== undefined && lease?.holderIdentity !== '' && lease?.holderIdentity !== last.holderIdentity;
    const counted = (lease?.leaseTransitions ?? 0) - (last?.leaseTransitions ?? 0);
    if (last && counted !== Number(isNew))
      wrong.push(`${by} made ${JSON.stringify(lease)} of ${JSON.stringify(last)}`);
    last = lease;
  }
  for (const write of writes) {
    if (write.resource === 'leases') continue;
    const held = leases.findLast(({ to }) => to <= write.from);
    const seconds = held?.lease?.leaseDurationSeconds ?? 0;
    const isOver = write.from - (held?.from ?? 0) > seconds * 1000;
    if (held?.by !== write.by || held.lease?.holderIdentity === '' || isOver) {
      wrong.push(`${write.by} wrote ${write.resource} ${write.namespace}/${write.name} without the Lease`);
    }
  }
  return wrong;
}
