import { expect, it } from 'vitest';
import { KINDS } from '../../src/kubernetes/api/kinds.ts';
import { GROUP } from '../../src/kubernetes/api/meta.ts';
import { MANIFESTS, manifestOf } from './manifests.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

const ROLES = MANIFESTS.filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole');
const rulesOf = (kind: string, name: string): readonly Rule[] => manifestOf(kind, name).rules;
const OURS = Object.values(KINDS).map(({ plural }) => plural);

/** By resource, with its group, the verbs. */
const allowed = (rules: readonly Rule[]): Readonly<Record<string, readonly string[]>> => {
  const entries = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.map((name) => [group === '' ? name : `${name}.${group}`, verbs] as const),
    ),
  );
  expect(new Set(entries.map(([name]) => name)).size).toBe(entries.length);
  return Object.fromEntries(entries);
};

it('is about five roles', () => {
  expect(ROLES.map(({ kind, metadata: { name } }) => `${kind} ${name}`).sort()).toEqual([
    'ClusterRole onbehalf-controller',
    'ClusterRole onbehalf-edit',
    'ClusterRole onbehalf-view',
    'Role onbehalf-controller',
    'Role onbehalf-leader-election',
  ]);
});

it.each(ROLES)('$kind $metadata.name has no wildcard, and nothing that leads to more rights', ({ rules }) => {
  const text = JSON.stringify(rules);
  expect(text).not.toContain('*');
  for (const verb of ['escalate', 'bind', 'impersonate', 'approve', 'sign', 'proxy']) {
    expect(text).not.toContain(`"${verb}"`);
  }
  for (const resource of [
    'pods',
    'token',
    'exec',
    'roles',
    'rolebindings',
    'nodes',
    'tokenreviews',
    'subjectaccessreviews',
  ]) {
    expect(text).not.toMatch(new RegExp(`["/]${resource}"`));
  }
  for (const rule of rules as readonly Rule[]) {
    expect(Object.keys(rule).filter((member) => member === 'nonResourceURLs')).toEqual([]);
  }
});

const CHILD = ['get', 'list', 'watch', 'create', 'patch'];
const READ = ['get', 'list', 'watch'];
/** What is only heard of. */
const HEAR = ['list', 'watch'];
const CONTROLLER = {
  ...Object.fromEntries(OURS.map((plural) => [`${plural}.${GROUP}`, HEAR])),
  ...Object.fromEntries(OURS.map((plural) => [`${plural}/status.${GROUP}`, ['patch']])),
  [`agents.${GROUP}`]: READ,
  [`agents/finalizers.${GROUP}`]: ['update'],
  secrets: [...HEAR, 'create', 'patch'],
  serviceaccounts: [...CHILD, 'delete'],
  services: CHILD,
  'deployments.apps': CHILD,
  configmaps: READ,
  'events.events.k8s.io': ['create'],
};

it('lets the controller do what it does, and nothing else', () => {
  expect(allowed(rulesOf('ClusterRole', 'onbehalf-controller'))).toEqual({ ...CONTROLLER, namespaces: HEAR });
});

it('lets the controller of one namespace do the same there, and not even see namespaces', () => {
  expect(allowed(rulesOf('Role', 'onbehalf-controller'))).toEqual(CONTROLLER);
});

it('lets the replicas agree on a leader by one Lease', () => {
  expect(rulesOf('Role', 'onbehalf-leader-election')).toEqual([
    {
      apiGroups: ['coordination.k8s.io'],
      resources: ['leases'],
      resourceNames: ['onbehalf-controller'],
      verbs: ['get', 'update'],
    },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
  ]);
});

it('gives each role to the service account of the controller, which is there', () => {
  const bindings = MANIFESTS.filter(({ kind }) => kind.endsWith('RoleBinding'));
  const account = manifestOf('ServiceAccount', 'onbehalf-controller');
  expect(bindings.length).toBe(3);
  for (const { subjects, roleRef } of bindings) {
    expect(subjects).toEqual([
      { kind: 'ServiceAccount', name: account.metadata.name, namespace: 'onbehalf-system' },
    ]);
    expect(rulesOf(roleRef.kind, roleRef.name).length).toBeGreaterThan(0);
  }
});

it('lets users of a namespace see our kinds or change them, as its roles view and edit do, and write no status', () => {
  const label = (role: string): string => `rbac.authorization.k8s.io/aggregate-to-${role}`;
  const view = manifestOf('ClusterRole', 'onbehalf-view');
  const edit = manifestOf('ClusterRole', 'onbehalf-edit');
  expect(view.metadata.labels).toMatchObject({
    [label('view')]: 'true',
    [label('edit')]: 'true',
    [label('admin')]: 'true',
  });
  expect(edit.metadata.labels).toMatchObject({ [label('edit')]: 'true', [label('admin')]: 'true' });
  expect(edit.metadata.labels).not.toHaveProperty([label('view')]);
  expect(allowed(view.rules)).toEqual({
    ...Object.fromEntries(OURS.map((plural) => [`${plural}.${GROUP}`, READ])),
    ...Object.fromEntries(OURS.map((plural) => [`${plural}/status.${GROUP}`, ['get']])),
  });
  expect(allowed(edit.rules)).toEqual(
    Object.fromEntries(
      OURS.map((plural) => [
        `${plural}.${GROUP}`,
        ['create', 'update', 'patch', 'delete', 'deletecollection'],
      ]),
    ),
  );
});
