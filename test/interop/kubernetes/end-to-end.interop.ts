// The whole of it: objects in a real API server become an agent whose calls carry, at each server, a token of the caller for that
// server, through the service account of the agent's pod.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type RunningMcpServer, startMcpServer } from '../../../examples/demo/mcp-server.ts';
import { type ControlPlane, startControlPlane } from '../support/kube-control-plane.ts';
import { type KubeProcess, lastingPort, startKubeProcess } from '../support/kube-process.ts';
import { callAgent } from './pod/call-agent.ts';
import { type Pod, startPod } from './pod/pod.ts';

const ROOT = new URL('../../../', import.meta.url).pathname;
const CLI = join(ROOT, 'dist/cli/main.js');
const NAMESPACE = 'onbehalf-demo';
const ACTOR = `system:serviceaccount:${NAMESPACE}:assistant`;
const WAIT = { timeout: 60_000, interval: 200 };
const available = inject('kube') !== undefined;

describe.skipIf(!available)('an Agent of deploy/samples, from objects to calls', () => {
  const ends: (() => Promise<unknown>)[] = [];
  let plane: ControlPlane;
  let issuer: string;
  let calendar: RunningMcpServer;
  let mail: RunningMcpServer;
  let pod: Pod;

  beforeAll(async () => {
    plane = await startControlPlane({ crds: await crds() });
    ends.push(() => plane.stop());
    const folder = await mkdtemp(join(tmpdir(), 'onbehalf-test-'));
    ends.push(() => rm(folder, { recursive: true, force: true }));
    issuer = await startSts(folder);
    [calendar, mail] = await Promise.all([
      startServer('calendar', 'calendar', ['list_events', 'add_event']),
      startServer('mail', 'mail-eu', ['search_mail', 'send_mail']),
    ]);
    await install();
    await startController(folder);
    await declare();
  }, 180_000);

  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  }, 60_000);

  /** An STS that knows the cluster's issuer by its published keys, as one outside of the cluster would. */
  async function startSts(folder: string): Promise<string> {
    const port = await lastingPort();
    const file = join(folder, 'sts.json');
    const ca = join(folder, 'cluster-ca.pem');
    await writeFile(ca, plane.caPem);
    const client = {
      clientId: 'assistant',
      authentication: 'client_secret_basic',
      clientSecret: 'not-a-real-secret',
      audiences: ['calendar', 'mail-eu'],
    };
    const trustedIssuers = [{ issuer: plane.issuer, jwksUri: plane.jwksUri }];
    const users = [{ sub: 'alice' }, { sub: 'bob' }];
    await writeFile(file, JSON.stringify({ port, clients: [client], users, trustedIssuers }));
    await start(
      ['env', `NODE_EXTRA_CA_CERTS=${ca}`, process.execPath, CLI, 'sts', '--json', '--config', file],
      {
        ready: /"event":"start"/,
        pidFile: join(folder, 'sts.pid'),
      },
    );
    return `http://127.0.0.1:${port}`;
  }

  async function startServer(
    name: string,
    audience: string,
    tools: readonly string[],
  ): Promise<RunningMcpServer> {
    const server = await startMcpServer({
      name,
      audience,
      issuer,
      jwksUri: `${issuer}/jwks`,
      tools: tools.map((tool) => ({
        name: tool,
        description: `${tool}, for its caller`,
        inputSchema: { type: 'object' as const },
        run: (_, { sub }) => `${tool} done for ${sub}`,
      })),
    });
    ends.push(() => server.close());
    return server;
  }

  async function start(
    command: readonly [string, ...string[]],
    options: { readonly ready: RegExp; readonly pidFile: string },
  ): Promise<KubeProcess> {
    const started = await startKubeProcess(command, options);
    ends.push(() => started.end('graceful'));
    return started;
  }

  async function kubectl(args: readonly string[], input?: string): Promise<string> {
    const { code, stdout, stderr } = await plane.kubectl(args, input === undefined ? {} : { input });
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** The controller's service account and rights, as deploy/ has them. */
  async function install(): Promise<void> {
    await kubectl(['apply', '-k', join(ROOT, 'deploy/overlays/cluster')]);
  }

  async function startController(folder: string): Promise<void> {
    const account = { namespace: 'onbehalf-system', serviceAccount: 'onbehalf-controller' };
    const { path } = await plane.kubeconfigFor(account);
    const command = [CLI, 'controller', '--kubeconfig', path, '--agent-image', 'onbehalf/agent:test'];
    await start([process.execPath, ...command, '--health-port', '0', '--metrics-port', '0', '--json'], {
      ready: /"event":"leading"/,
      pidFile: join(folder, 'controller.pid'),
    });
  }

  /** The sample as it is, but for the addresses, which are of this machine. */
  async function declare(): Promise<void> {
    const built = await kubectl(['kustomize', join(ROOT, 'deploy/samples/demo')]);
    const here = built
      .replaceAll('https://sts.example.com', issuer)
      .replaceAll('https://calendar.example.com/mcp', calendar.url)
      .replaceAll('https://mail.example.com/mcp', mail.url);
    await kubectl(['apply', '-f', '-'], here);
    const secret = ['create', 'secret', 'generic', 'sts-client', '-n', NAMESPACE];
    await kubectl([...secret, '--from-literal=client-secret=not-a-real-secret']);
  }

  /** What the conditions say, so that a failure tells why. */
  async function condition(kind: string, name: string, type: string): Promise<string> {
    const path = `/apis/onbehalf.dev/v1alpha1/namespaces/${NAMESPACE}/${kind}/${name}`;
    const { body } = await plane.api('GET', path);
    const all: { type: string; status: string; reason: string; message: string }[] =
      body.status?.conditions ?? [];
    // The one that was asked for first.
    const sorted = all.toSorted((a, b) => Number(b.type === type) - Number(a.type === type));
    return sorted.map((one) => `${one.status} ${one.type} ${one.reason}: ${one.message}`).join('\n');
  }

  /** A token of the user's sign-in, for the agent. */
  async function tokenOf(user: string, audience = 'assistant'): Promise<string> {
    const response = await fetch(`${issuer}/development/subject-token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sub: user, audience }),
    });
    const { subject_token } = (await response.json()) as { subject_token: string };
    return subject_token;
  }

  function calls(server: RunningMcpServer): readonly object[] {
    return server.takeRequests().flatMap(({ method, tool, sub, act, aud, status }) => {
      return method === 'tools/call' ? [{ tool, sub, act, aud, status }] : [];
    });
  }

  test('the controller accepts it, and is waiting for its pod', async () => {
    await expect.poll(() => condition('tokenservices', 'default', 'Ready'), WAIT).toMatch(/^True /);
    await expect.poll(() => condition('remotemcpservers', 'mail', 'Ready'), WAIT).toMatch(/^True /);
    await expect.poll(() => condition('agents', 'assistant', 'Accepted'), WAIT).toMatch(/^True /);
    // It is told when its Deployment has been made; before, what it refers to may not have been seen yet.
    await expect.poll(() => condition('agents', 'assistant', 'ResolvedRefs'), WAIT).toMatch(/^True /);
    expect(await condition('agents', 'assistant', 'Ready')).toMatch(/^False /);
  }, 90_000);

  test('the pod that its Deployment describes starts and serves; the Agent becomes Ready', async () => {
    const entrypoint = 'agent';
    pod = await startPod({
      plane,
      namespace: NAMESPACE,
      deployment: 'assistant',
      ip: '127.80.80.1',
      entrypoint,
    });
    ends.push(() => pod.stop());
    expect(await pod.probe('livenessProbe')).toBe(true);
    await expect.poll(() => condition('agents', 'assistant', 'Ready'), WAIT).toMatch(/^True /);
  }, 120_000);

  test('S8, S9, S10: each server gets a token of the caller, for itself, through the service account', async () => {
    await callAgent(pod.url, { token: await tokenOf('alice') });
    const seen = { sub: 'alice', act: ACTOR, status: 200 };
    // The server's own audience (S8), and the Agent's word instead of the server's (S9).
    expect(calls(calendar)).toEqual(
      ['list_events', 'add_event'].map((tool) => ({ ...seen, tool, aud: ['calendar'] })),
    );
    expect(calls(mail)).toEqual(
      ['search_mail', 'send_mail'].map((tool) => ({ ...seen, tool, aud: ['mail-eu'] })),
    );
  }, 60_000);

  test('callers at the same time stay apart', async () => {
    const users = ['alice', 'bob', 'alice', 'bob', 'bob', 'alice'];
    await Promise.all(users.map(async (user) => callAgent(pod.url, { token: await tokenOf(user) })));
    const subjects = (server: RunningMcpServer): unknown[] =>
      calls(server).map((call) => (call as { sub: string }).sub);
    for (const server of [calendar, mail]) {
      expect(subjects(server).sort()).toEqual([...Array(6).fill('alice'), ...Array(6).fill('bob')]);
    }
  }, 60_000);

  test('a token for somebody else, or none, reaches nobody', async () => {
    const token = await tokenOf('alice', 'another-agent');
    expect(await callAgent(pod.url, { token, expect: 'refused' })).toBe(401);
    expect(await callAgent(pod.url, { token: undefined, expect: 'refused' })).toBe(401);
    expect([...calls(calendar), ...calls(mail)]).toEqual([]);
  }, 60_000);

  test('it goes on when the kubelet renews the tokens', async () => {
    await pod.renew();
    await callAgent(pod.url, { token: await tokenOf('bob') });
    expect(calls(mail)).toEqual(
      ['search_mail', 'send_mail'].map((tool) => ({
        tool,
        sub: 'bob',
        act: ACTOR,
        aud: ['mail-eu'],
        status: 200,
      })),
    );
    calls(calendar);
  }, 60_000);

  test('the Agent tells what each token is for, and where that was said', async () => {
    const path = `/apis/onbehalf.dev/v1alpha1/namespaces/${NAMESPACE}/agents/assistant`;
    const { body } = await plane.api('GET', path);
    const found = body.status.targets.map((one: Record<string, unknown>) => [
      one.server,
      one.audiences,
      (one.from as Record<string, string>).audiences,
    ]);
    expect(found).toEqual([
      [`${NAMESPACE}/calendar`, ['calendar'], 'server'],
      [`${NAMESPACE}/mail`, ['mail-eu'], 'tool'],
    ]);
  });

  test('nothing of the cluster or of the pod shows a token or a secret', async () => {
    const objects = await kubectl([
      ...['get', 'agents,remotemcpservers,tokenservices,modelconfigs,deployments,services,events'],
      ...['-A', '-o', 'json'],
    ]);
    const config = await kubectl(['get', 'secret', 'assistant', '-n', NAMESPACE, '-o', 'json']);
    const said = await pod.log();
    const text = [objects, ...Object.values<string>(JSON.parse(config).data).map(decoded), said].join('\n');
    expect(text).not.toContain('not-a-real-secret');
    expect(text).not.toMatch(/eyJ[\w-]{20,}\.[\w-]{20,}/);
    // What the search would find, were it there.
    expect(await tokenOf('alice')).toMatch(/eyJ[\w-]{20,}\.[\w-]{20,}/);
    expect(said).toContain('127.80.80.1');
  });

  test('a new client secret rolls the pods', async () => {
    const before = await configHash();
    const secret = { stringData: { 'client-secret': 'another-that-is-not-real' } };
    await kubectl([
      'patch',
      'secret',
      'sts-client',
      '-n',
      NAMESPACE,
      '--type=merge',
      '-p',
      JSON.stringify(secret),
    ]);
    await expect.poll(configHash, WAIT).not.toBe(before);
  }, 90_000);

  async function configHash(): Promise<unknown> {
    const path = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/assistant`;
    const { body } = await plane.api('GET', path);
    return body.spec.template.metadata.annotations['onbehalf.dev/config-hash'];
  }

  test('it stops when it is told to', async () => {
    await pod.stop();
    expect(await pod.probe('livenessProbe')).toBe(false);
  }, 60_000);
});

async function crds(): Promise<string[]> {
  const names = ['agents', 'modelconfigs', 'remotemcpservers', 'tokenservices'];
  return Promise.all(
    names.map((name) => readFile(join(ROOT, `deploy/crds/${name}.onbehalf.dev.yaml`), 'utf8')),
  );
}

function decoded(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}
