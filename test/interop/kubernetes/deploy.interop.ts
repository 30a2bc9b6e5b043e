import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Agent } from '../../../src/kubernetes/api/agent.ts';
import { KINDS } from '../../../src/kubernetes/api/kinds.ts';
import { GROUP } from '../../../src/kubernetes/api/meta.ts';
import { compileAgent } from '../../../src/kubernetes/compile/compile-agent.ts';
import { childrenOf } from '../../../src/kubernetes/controller/children.ts';
import { lookUpOf } from '../../../src/kubernetes/look-up.ts';
import {
  documentsOf,
  MANIFESTS,
  type Manifest,
  manifestOf,
  ROOT,
  yamlFiles,
} from '../../deploy/manifests.ts';
import { type ControlPlane, startControlPlane } from '../support/kube-control-plane.ts';

const programs = inject('kube');
const SYSTEM = 'onbehalf-system';
const DEMO = 'onbehalf-demo';
const CONTROLLER = `system:serviceaccount:${SYSTEM}:onbehalf-controller`;
const OURS = Object.values(KINDS).map(({ plural }) => plural);
const folder = (name: string): string => join(ROOT, 'deploy', name);

// What is in deploy/, as an administrator applies it: in this order.
describe.skipIf(programs === undefined)('deploy/ on a real API server', () => {
  let plane: ControlPlane;
  beforeAll(async () => {
    plane = await startControlPlane({
      // As on OpenShift: whoever makes an owner wait for its children needs a right at the owner.
      apiServer: { 'enable-admission-plugins': 'OwnerReferencesPermissionEnforcement' },
      controllers: [
        'serviceaccount-controller',
        'namespace-controller',
        'clusterrole-aggregation-controller',
      ],
    });
  }, 60_000);
  afterAll(() => plane?.stop());

  /** What kubectl prints; it must succeed and warn of nothing. */
  async function succeed(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await plane.kubectl(args);
    expect([args.join(' '), code, stderr]).toEqual([args.join(' '), 0, '']);
    return stdout;
  }

  /** Applies for real, and once more: then there is nothing to do. The server checks each field, and takes no unknown one. */
  async function apply(...what: readonly string[]): Promise<string> {
    const first = await succeed('apply', '--validate=strict', ...what);
    const again = await succeed('apply', '--validate=strict', ...what);
    expect(
      again
        .trim()
        .split('\n')
        .filter((line) => !/ unchanged$/.test(line)),
    ).toEqual([]);
    return first;
  }

  const mayDo = async (account: string, ...what: readonly string[]): Promise<boolean> => {
    const { stdout } = await plane.kubectl(['auth', 'can-i', `--as=${account}`, ...what]);
    return stdout.trim() === 'yes';
  };

  describe('the kinds', () => {
    it('are installed by kustomize, and served', async () => {
      const printed = await succeed('apply', '--server-side', '-k', folder('crds'));
      expect(printed.match(/serverside-applied/g)?.length).toBe(OURS.length);
      await succeed(
        'wait',
        '--for=condition=Established',
        '--timeout=20s',
        'crd',
        ...OURS.map((one) => `${one}.${GROUP}`),
      );
      expect(await succeed('get', OURS.join(','), '-A', '--ignore-not-found')).toBe('');
    });
  });

  describe('the overlay for one namespace', () => {
    it('is accepted, dry and for real', async () => {
      // A dry run makes no namespace, and without one it cannot look at what is in it.
      for (const file of ['samples/demo/namespace.yaml', 'base/namespace.yaml'])
        await apply('-f', folder(file));
      await succeed('apply', '--dry-run=server', '--validate=strict', '-k', folder('overlays/namespaced'));
      await apply('-k', folder('overlays/namespaced'));
      const args = 'jsonpath={.spec.template.spec.containers[0].args}';
      expect(
        JSON.parse(await succeed('-n', SYSTEM, 'get', 'deployment', 'onbehalf-controller', '-o', args)),
      ).toEqual(['--agent-image=$(ONBEHALF_AGENT_IMAGE)', '--json', `--namespace=${DEMO}`]);
    });

    it('gives rights in that namespace and nowhere else', async () => {
      expect(await mayDo(CONTROLLER, 'list', 'secrets', '-n', DEMO)).toBe(true);
      expect(await mayDo(CONTROLLER, 'watch', `agents.${GROUP}`, '-n', DEMO)).toBe(true);
      for (const namespace of [SYSTEM, 'default', 'kube-system']) {
        expect(await mayDo(CONTROLLER, 'list', 'secrets', '-n', namespace)).toBe(false);
        expect(await mayDo(CONTROLLER, 'list', `agents.${GROUP}`, '-n', namespace)).toBe(false);
      }
      expect(await mayDo(CONTROLLER, 'list', 'secrets', '-A')).toBe(false);
      expect(await mayDo(CONTROLLER, 'list', 'namespaces')).toBe(false);
      await succeed('delete', '-n', DEMO, 'role,rolebinding', 'onbehalf-controller');
    });
  });

  describe('the overlay for all namespaces', () => {
    it('is accepted, dry and for real', async () => {
      await succeed('apply', '--dry-run=server', '--validate=strict', '-k', folder('overlays/cluster'));
      await apply('-k', folder('overlays/cluster'));
    });

    it('names the images that the overlay says, that of the agents too', async () => {
      const [container] = JSON.parse(
        await succeed(
          '-n',
          SYSTEM,
          'get',
          'deployment',
          'onbehalf-controller',
          '-o',
          'jsonpath={.spec.template.spec.containers}',
        ),
      );
      expect([container.image, container.env[0].value]).toEqual([
        'registry.example.com/onbehalf/controller:0.0.0',
        'registry.example.com/onbehalf/agent:0.0.0',
      ]);
      expect(container.args).toEqual(['--agent-image=$(ONBEHALF_AGENT_IMAGE)', '--json']);
    });

    it('makes pods that its namespace admits, which refuses others', async () => {
      const { template } = manifestOf('Deployment', 'onbehalf-controller').spec;
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'trial', labels: template.metadata?.labels },
        spec: template.spec,
      };
      const path = `/api/v1/namespaces/${SYSTEM}/pods?dryRun=All`;
      expect((await plane.api('POST', path, { body: pod })).body).toMatchObject({ kind: 'Pod' });
      const [container] = template.spec.containers;
      const careless = { ...pod, spec: { ...pod.spec, containers: [{ ...container, securityContext: {} }] } };
      const { status, body } = await plane.api('POST', path, { body: careless });
      expect([status, body.message]).toEqual([
        403,
        expect.stringContaining('violates PodSecurity "restricted:latest"'),
      ]);
    });
  });

  describe('the service account of the controller', () => {
    it('may do what it needs, and nothing more', async () => {
      const listed = await succeed('auth', 'can-i', '--list', `--as=${CONTROLLER}`, '-n', 'default');
      const everybody = await succeed(
        'auth',
        'can-i',
        '--list',
        '--as=system:serviceaccount:default:nobody',
        '-n',
        'default',
      );
      const rows = (text: string): readonly string[] =>
        text
          .trimEnd()
          .split('\n')
          .map((row) => row.replaceAll(/ +/g, ' '));
      // Groups of service accounts may ask what they may do, and read the versions that the API server has.
      const own = rows(listed).filter((row) => !rows(everybody).includes(row));
      const child = '[] [] [get list watch create patch]';
      const read = '[] [] [get list watch]';
      const hear = '[] [] [list watch]';
      expect(own.toSorted()).toEqual(
        [
          'secrets [] [] [list watch create patch]',
          'serviceaccounts [] [] [get list watch create patch delete]',
          `services ${child}`,
          `deployments.apps ${child}`,
          `configmaps ${read}`,
          `namespaces ${hear}`,
          'events.events.k8s.io [] [] [create]',
          ...OURS.map((one) => `${one}.${GROUP} ${one === 'agents' ? read : hear}`),
          ...OURS.map((one) => `${one}.${GROUP}/status [] [] [patch]`),
          `agents.${GROUP}/finalizers [] [] [update]`,
        ].toSorted(),
      );
    });

    it.each([
      ['get', 'pods'],
      ['create', 'pods'],
      ['create', 'pods/exec'],
      ['create', 'serviceaccounts/token'],
      ['create', 'tokenreviews.authentication.k8s.io'],
      ['create', 'clusterroles.rbac.authorization.k8s.io'],
      ['create', 'rolebindings.rbac.authorization.k8s.io'],
      ['escalate', 'clusterroles.rbac.authorization.k8s.io'],
      ['get', 'secrets'],
      ['update', 'secrets'],
      ['delete', 'secrets'],
      ['delete', 'deployments.apps'],
      ['update', 'deployments.apps'],
      ['create', 'configmaps'],
      ['patch', 'namespaces'],
      ['create', `agents.${GROUP}`],
      ['patch', `agents.${GROUP}`],
      ['delete', `tokenservices.${GROUP}`],
      ['get', 'leases.coordination.k8s.io'],
    ])('may not %s %s', async (verb, resource) => {
      const [name = '', subresource] = resource.split('/');
      const what = [verb, name, ...(subresource === undefined ? [] : [`--subresource=${subresource}`])];
      expect(await mayDo(CONTROLLER, ...what, '-n', 'kube-system')).toBe(false);
    });

    it('may not be another with its own token either: the API server refuses it', async () => {
      const kubeconfig = await plane.kubeconfigFor({
        namespace: SYSTEM,
        serviceAccount: 'onbehalf-controller',
      });
      const refused = async (...args: readonly string[]): Promise<string> => {
        const { code, stderr } = await plane.kubectl(args, { kubeconfig });
        expect([args.join(' '), code]).toEqual([args.join(' '), 1]);
        return stderr;
      };
      expect(await refused('get', 'pods', '-A')).toMatch(/forbidden: User/);
      expect(await refused('-n', 'default', 'create', 'token', 'default')).toMatch(/forbidden: User/);
      expect(await refused('-n', 'kube-system', 'get', 'lease')).toMatch(/forbidden: User/);
      expect(await refused('--as=system:admin', 'get', 'agents', '-A')).toContain('cannot impersonate');
    });

    it('may hold the Lease of its name in its own namespace, and no other', async () => {
      const lease = ['-n', SYSTEM];
      expect(await mayDo(CONTROLLER, 'create', 'leases.coordination.k8s.io', ...lease)).toBe(true);
      expect(
        await mayDo(CONTROLLER, 'update', 'leases.coordination.k8s.io/onbehalf-controller', ...lease),
      ).toBe(true);
      expect(await mayDo(CONTROLLER, 'update', 'leases.coordination.k8s.io/other', ...lease)).toBe(false);
      expect(await mayDo(CONTROLLER, 'list', 'leases.coordination.k8s.io', ...lease)).toBe(false);
    });
  });

  describe('the samples', () => {
    it('are accepted, dry and for real, the demo first', async () => {
      await succeed('apply', '--dry-run=server', '--validate=strict', '-k', folder('samples/demo'));
      // Twice: the second time changes nothing.
      for (const _ of [1, 2]) {
        await succeed('apply', '--validate=strict', '-k', folder('samples/demo'));
        for (const file of SAMPLES) await succeed('apply', '--validate=strict', '-f', join(ROOT, file));
      }
      const names = JSON.parse(await succeed('-n', DEMO, 'get', `agents.${GROUP}`, '-o', 'json')).items.map(
        ({ metadata }: { metadata: { name: string } }) => metadata.name,
      );
      expect(names).toContain('assistant');
      expect(names.length).toBeGreaterThan(4);
    });

    it('get the defaults that the schemas say', async () => {
      const { metadata, spec } = JSON.parse(
        await succeed('-n', DEMO, 'get', `agent.${GROUP}`, 'assistant', '-o', 'json'),
      );
      expect(metadata.generation).toBe(1);
      expect(spec).toMatchObject({ type: 'Declarative', authentication: { mode: 'JWT' } });
      expect(spec.declarative.tools[1].mcpServer).toMatchObject({
        kind: 'RemoteMCPServer',
        stsAudience: 'mail-eu',
      });
    });
  });

  describe('the pods of the samples', () => {
    it.each(agents())(
      'of $metadata.name are admitted by a namespace that asks for "restricted"',
      async (agent) => {
        const { compiled, problems } = compileAgent(agent, lookUpOf(MANIFESTS));
        expect(problems).toBeUndefined();
        if (compiled === undefined) return;
        const { objects } = childrenOf(agent, compiled, { agentImage: 'registry.example.com/agent' });
        const deployment = objects.find(({ kind }) => kind === 'Deployment') as unknown as Manifest;
        const { metadata, spec } = deployment.spec.template;
        const account = {
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: { name: spec.serviceAccountName },
        };
        await plane.api('POST', `/api/v1/namespaces/${DEMO}/serviceaccounts`, { body: account });
        const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'trial' }, spec };
        const { body } = await plane.api('POST', `/api/v1/namespaces/${DEMO}/pods?dryRun=All`, { body: pod });
        expect(body).toMatchObject({ kind: 'Pod', metadata: { name: 'trial' } });
      },
    );
  });

  describe('who owns what', () => {
    /** As the controller does it: a child that its agent waits for when it is deleted. */
    const child = async (account: { namespace: string; serviceAccount: string }): Promise<string> => {
      const { metadata } = JSON.parse(
        await succeed('-n', DEMO, 'get', `agent.${GROUP}`, 'assistant', '-o', 'json'),
      );
      const owner = {
        apiVersion: `${GROUP}/v1alpha1`,
        kind: 'Agent',
        name: 'assistant',
        uid: metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      };
      const secret = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'assistant', namespace: DEMO, ownerReferences: [owner] },
      };
      const { stdout, stderr } = await plane.kubectl(['apply', '--server-side', '-f', '-'], {
        input: JSON.stringify(secret),
        kubeconfig: await plane.kubeconfigFor(account),
      });
      return stdout + stderr;
    };

    it('can be said by the controller, for which alone it has the right to agents/finalizers', async () => {
      await succeed('-n', 'default', 'create', 'serviceaccount', 'without');
      await succeed('create', 'clusterrole', 'without', '--verb=get,create,patch', '--resource=secrets');
      await succeed(
        'create',
        'clusterrolebinding',
        'without',
        '--clusterrole=without',
        '--serviceaccount=default:without',
      );
      expect(await child({ namespace: 'default', serviceAccount: 'without' })).toContain(
        'cannot set blockOwnerDeletion',
      );
      expect(await child({ namespace: SYSTEM, serviceAccount: 'onbehalf-controller' })).toContain(
        'serverside-applied',
      );
    });
  });

  describe('users of a namespace', () => {
    it.each([
      ['view', ['get', 'list', 'watch'], ['create', 'patch', 'delete']],
      ['edit', ['get', 'create', 'update', 'patch', 'delete'], []],
      ['admin', ['get', 'create', 'update', 'patch', 'delete'], []],
    ])('who have its role %s may %s our kinds there', async (role, may, mayNot) => {
      const account = `system:serviceaccount:default:${role}`;
      await succeed(
        '-n',
        DEMO,
        'create',
        'rolebinding',
        role,
        `--clusterrole=${role}`,
        `--serviceaccount=default:${role}`,
      );
      // The aggregation is done by a controller, which takes a moment.
      await expect
        .poll(() => mayDo(account, may[0] ?? '', `agents.${GROUP}`, '-n', DEMO), { timeout: 20_000 })
        .toBe(true);
      for (const plural of OURS) {
        for (const verb of may)
          expect([verb, await mayDo(account, verb, `${plural}.${GROUP}`, '-n', DEMO)]).toEqual([verb, true]);
        for (const verb of mayNot)
          expect([verb, await mayDo(account, verb, `${plural}.${GROUP}`, '-n', DEMO)]).toEqual([verb, false]);
        expect(await mayDo(account, 'patch', `${plural}.${GROUP}`, '--subresource=status', '-n', DEMO)).toBe(
          false,
        );
        expect(await mayDo(account, 'get', `${plural}.${GROUP}`, '-n', 'default')).toBe(false);
      }
    });
  });
});

const SAMPLES = yamlFiles('deploy/samples').filter(
  (file) => documentsOf(file)[0]?.kind !== 'Kustomization' && !file.includes('/demo/'),
);

/** Hoisted: the tests above are named after them. */
function agents(): readonly Agent[] {
  return MANIFESTS.filter(({ kind }) => kind === 'Agent') as unknown as readonly Agent[];
}
