// What the controller finds out about servers and token services, on a real API server; and that what it applies is what it then finds.
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Agent } from '../../../src/kubernetes/api/agent.ts';
import type { DiscoveredTool } from '../../../src/kubernetes/api/remote-mcp-server.ts';
import { RESOURCES } from '../../../src/kubernetes/client/resources.ts';
import { childrenOf } from '../../../src/kubernetes/controller/children.ts';
import { differs } from '../../../src/kubernetes/controller/differs.ts';
import { keepSecret } from '../../../src/kubernetes/controller/keep.ts';
import { createDevelopmentSts, type DevelopmentSts } from '../../../src/sts/index.ts';
import { agentOf, compiledOf } from '../../kubernetes/controller/objects.ts';
import {
  agent,
  type Bed,
  conditionsOf,
  mcpTool,
  messageOf,
  namespaceOf,
  type RunningController,
  server,
  startBed,
  tokenService,
} from './controller-bed.ts';

const available = inject('kube') !== undefined;
const CLIENT = {
  clientId: 'agents',
  authentication: 'client_secret_basic',
  clientSecret: 'not-a-real-secret',
  audiences: ['mail'],
} as const;

describe.skipIf(!available)('the controller', () => {
  let bed: Bed;
  let controller: RunningController;
  let sts: DevelopmentSts;
  /** By server, its tools, or why they cannot be listed. */
  const tools = new Map<string, readonly DiscoveredTool[] | Error>();
  beforeAll(async () => {
    bed = await startBed();
    sts = await createDevelopmentSts({ clients: [CLIENT], users: [{ sub: 'alice' }] });
    controller = await bed.controller({
      listTools: async ({ metadata }) => {
        const found = tools.get(metadata.name) ?? [];
        if (found instanceof Error) throw found;
        return found;
      },
    });
  }, 60_000);
  afterAll(async () => {
    await bed?.stop();
    await sts?.close();
  }, 30_000);

  test('a token service is Ready when its metadata is there, and says where tokens are exchanged', async () => {
    await bed.put(namespaceOf('sts'));
    await bed.put(tokenService('sts', { issuer: sts.issuer, tokenEndpoint: undefined }));
    await controller.idle();
    const found = await bed.get('TokenService', 'sts/default');
    expect(conditionsOf(found)).toEqual({
      Accepted: 'True Accepted',
      ResolvedRefs: 'True ResolvedRefs',
      Ready: 'True Ready',
    });
    expect(found?.status).toMatchObject({ tokenEndpoint: sts.tokenEndpoint });
  });

  test('a token service that is not there is told of at its servers too, until it is put right', async () => {
    await bed.put(namespaceOf('astray'));
    const astray = { issuer: `${sts.issuer}/nowhere`, tokenEndpoint: undefined };
    await bed.put(tokenService('astray', astray), server('astray', 'mail', { stsAudience: 'mail' }));
    await bed.put(server('astray', 'open'));
    await controller.idle();
    const service = await bed.get('TokenService', 'astray/default');
    expect(conditionsOf(service).Ready).toBe('False DiscoveryFailed');
    expect(messageOf(service, 'Ready')).toContain('answered with status 404');
    const mail = await bed.get('RemoteMCPServer', 'astray/mail');
    expect(conditionsOf(mail)).toMatchObject({
      Accepted: 'True Accepted',
      Ready: 'False TokenServiceNotReady',
    });
    expect(messageOf(mail, 'Ready')).toContain('TokenService astray/default is not ready');
    // It needs no token.
    expect(conditionsOf(await bed.get('RemoteMCPServer', 'astray/open')).Ready).toBe('True Ready');
    await bed.put(tokenService('astray', { issuer: sts.issuer, tokenEndpoint: undefined }));
    await controller.idle();
    expect(conditionsOf(await bed.get('RemoteMCPServer', 'astray/mail')).Ready).toBe('True Ready');
  });

  test('a server names the Secret, the key and the TokenService that it lacks', async () => {
    const valueFrom = { type: 'Secret', name: 'none', key: 'token' };
    const tokenExchange = { audiences: ['a'], tokenServiceRef: { name: 'other' } };
    await bed.team('lacks');
    await bed.put(server('lacks', 'mail', { headersFrom: [{ name: 'X', valueFrom }], tokenExchange }));
    await controller.idle();
    const found = await bed.get('RemoteMCPServer', 'lacks/mail');
    expect(conditionsOf(found)).toMatchObject({
      ResolvedRefs: 'False NotFound',
      Ready: 'False UnresolvedRefs',
    });
    expect(messageOf(found, 'ResolvedRefs')).toContain(
      'spec.headersFrom[0].valueFrom: there is no Secret lacks/none',
    );
    expect(messageOf(found, 'ResolvedRefs')).toContain('there is no TokenService lacks/other');
  });

  test('tools are published where that is wanted, and agents are held to them', async () => {
    tools.set('mail', [{ name: 'send', description: 'Sends.' }, { name: 'read' }]);
    await bed.team('tools', server('tools', 'mail', { publishTools: true }), server('tools', 'quiet'));
    await bed.put(agent('tools', 'right', { tools: [mcpTool('mail', { toolNames: ['send'] })] }));
    await bed.put(agent('tools', 'wrong', { tools: [mcpTool('mail', { toolNames: ['fly'] })] }));
    await controller.idle();
    expect((await bed.get('RemoteMCPServer', 'tools/mail'))?.status).toMatchObject({
      discoveredTools: [{ name: 'read' }, { name: 'send', description: 'Sends.' }],
    });
    expect((await bed.get('RemoteMCPServer', 'tools/quiet'))?.status).not.toHaveProperty('discoveredTools');
    expect(conditionsOf(await bed.get('Agent', 'tools/right')).ResolvedRefs).toBe('True ResolvedRefs');
    expect(conditionsOf(await bed.get('Agent', 'tools/wrong')).ResolvedRefs).toBe('False UnknownTool');
  });

  test('a server whose tools cannot be listed is not Ready, and its agents run', async () => {
    tools.set('deaf', new Error('it does not answer'));
    await bed.team('deaf', server('deaf', 'deaf', { publishTools: true }));
    await bed.put(agent('deaf', 'helper', { tools: [mcpTool('deaf')] }));
    await controller.idle();
    const found = await bed.get('RemoteMCPServer', 'deaf/deaf');
    expect(conditionsOf(found).Ready).toBe('False DiscoveryFailed');
    expect(messageOf(found, 'Ready')).toBe('it does not answer');
    expect(await bed.get('Deployment', 'deaf/helper')).toBeDefined();
  });

  test('what is applied is what is found then: whatever an agent says of its pods', {
    timeout: 120_000,
  }, async () => {
    const name = 'property';
    await bed.put(namespaceOf(name));
    await bed.put(agent(name, 'helper'));
    await controller.stop();
    const uid = (await bed.get('Agent', `${name}/helper`))?.metadata.uid;
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(pods, compilations, async (deployment, compilation) => {
        const one = agentOf(specOf(deployment), { name: 'helper', namespace: name, uid });
        const { objects } = childrenOf(one, compiledOf(compilation), { agentImage: 'agent:1' });
        for (const want of objects) {
          const live = await bed.client.apply(RESOURCES[want.kind], want);
          const comparable = want.kind === 'Secret' ? keepSecret : (object: typeof want) => object;
          expect(differs(comparable(want), comparable(live as typeof want)), want.kind).toBe(false);
          taken += 1;
        }
      }),
      { numRuns: 40, seed: 7 },
    );
    expect(taken).toBeGreaterThan(100);
  });
});

const word = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/);
const labels = fc.dictionary(word, fc.constantFrom('', 'a', 'A_b.c-1'), {
  maxKeys: 3,
  noNullPrototype: true,
});
const amount = fc
  .tuple(
    fc.nat(20_000),
    fc.constantFrom('', '.5', '.', '.125'),
    fc.constantFrom('', 'Mi', 'Gi', 'k', 'm', 'e3', 'E2'),
  )
  .map((parts) => parts.join(''));
const text = fc.oneof(fc.constant(''), fc.constant(' a '), fc.string({ unit: 'grapheme', maxLength: 10 }));
const pods = fc.record(
  {
    replicas: fc.nat(3),
    cmd: text.filter((one) => one !== ''),
    args: fc.array(text, { maxLength: 3 }),
    labels,
    annotations: fc.dictionary(word, text, { maxKeys: 2, noNullPrototype: true }),
    nodeSelector: labels,
    imagePullPolicy: fc.constantFrom('Always', 'Never'),
    imagePullSecrets: fc.array(fc.record({ name: word }), { maxLength: 3 }),
    serviceAccountName: fc.constantFrom('default', 'helper'),
    env: fc.array(
      fc.oneof(
        fc.record({ name: fc.stringMatching(/^[A-Z]{1,2}$/), value: text }),
        fc.record({
          name: fc.stringMatching(/^[A-Z]{1,2}$/),
          valueFrom: fc.record({ configMapKeyRef: fc.record({ name: word, key: word }) }),
        }),
      ),
      { maxLength: 4 },
    ),
    resources: fc.oneof(
      fc.constant({}),
      fc.record({ limits: fc.constant({}) }),
      fc.record({ requests: fc.record({ memory: amount, cpu: amount }, { requiredKeys: [] }) }),
      amount.map((cpu) => ({ requests: { cpu }, limits: { cpu } })),
    ),
  },
  { requiredKeys: ['replicas'] },
);

const ROOT = '/var/run/secrets/onbehalf';
const compilations = fc.record({
  mounts: fc.array(
    fc.tuple(fc.constantFrom('Secret', 'ConfigMap'), word, word).map(([kind, name, key]) => ({
      ...{ kind: kind as 'Secret', name, key },
      path: `${ROOT}/data/${kind.toLowerCase()}/${name}/${key}`,
    })),
    { maxLength: 4 },
  ),
  tokens: fc.subarray(
    ['a', 'https://sts.example'].map((audience, index) => ({
      ...{ audience, expirationSeconds: 600 + index },
      path: `${ROOT}/tokens/0000000${index}`,
    })),
  ),
  variables: fc.subarray([{ name: 'OPENAI_API_KEY', secret: 'openai', key: 'key' }]),
});

type Pods = typeof pods extends fc.Arbitrary<infer T> ? T : never;

/** Every other one brings its own image, which alone has a command and arguments. */
function specOf({ cmd, args, ...deployment }: Pods): Partial<Agent['spec']> {
  if (cmd === undefined && args === undefined) {
    return { declarative: { modelConfig: 'm', stream: false, deployment } } as Partial<Agent['spec']>;
  }
  const byo = { deployment: { ...deployment, cmd, args, image: 'own:1' } };
  return { type: 'BYO', declarative: undefined, byo } as unknown as Partial<Agent['spec']>;
}
