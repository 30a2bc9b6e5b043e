// S8, S9 and S10 on a real API server: what the controller, as its own service account with the rights of deploy/, makes of servers
// and agents that say, or do not say, what tokens are for.
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { readRuntimeConfig } from '../../../src/config/read-config.ts';
import {
  AGENT_IMAGE,
  agent,
  type Bed,
  conditionsOf,
  fileOf,
  mcpTool,
  namespaceOf,
  podOf,
  type RunningController,
  secret,
  server,
  startBed,
  tokenService,
} from './controller-bed.ts';

const available = inject('kube') !== undefined;
const tools = (...references: readonly object[]) => ({ tools: references });

describe.skipIf(!available)('the controller', () => {
  let bed: Bed;
  let controller: RunningController;
  beforeAll(async () => {
    bed = await startBed();
    controller = await bed.controller();
  }, 60_000);
  afterEach(() => expect(controller.failures).toEqual([]));
  afterAll(() => bed?.stop(), 30_000);

  /** The config that the pods of an agent read, by the runtime's own reader. */
  async function configOf(place: string) {
    const { config, problems } = readRuntimeConfig(fileOf(await bed.get('Secret', place), 'config.json'));
    expect(problems).toBeUndefined();
    return config;
  }
  const targetsOf = async (place: string) =>
    ((await bed.get('Agent', place))?.status as { targets?: unknown } | undefined)?.targets;

  test("S8 a server's stsAudience is the audience of its tokens for agents that say nothing", async () => {
    const [mail, files] = [server('s8', 'mail', { stsAudience: 'mail' }), server('s8', 'files')];
    await bed.team('s8', mail, files, agent('s8', 'helper', tools(mcpTool('mail'), mcpTool('files'))));
    await controller.idle();
    const config = await configOf('s8/helper');
    expect(config?.http_tools).toMatchObject([
      { name: 's8/mail', params: { url: 'https://mail.example/mcp' }, sts_audience: 'mail' },
      { name: 's8/files' },
    ]);
    expect(config?.http_tools[1]).not.toHaveProperty('sts_audience');
    expect(config?.http_tools[1]).not.toHaveProperty('token_exchange');
    expect(await targetsOf('s8/helper')).toMatchObject([
      { server: 's8/mail', tokenService: 's8/default', audiences: ['mail'], from: { audiences: 'server' } },
      { server: 's8/files' },
    ]);
  });

  test("S8 a server's tokenExchange is what its tokens are for, with all of its fields", async () => {
    const tokenExchange = {
      audiences: ['mail', 'mail-eu'],
      resources: ['https://mail.example/mcp'],
      scopes: ['mail:read'],
      requestedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
    };
    await bed.team(
      's8-exchange',
      server('s8-exchange', 'mail', { tokenExchange }),
      agent('s8-exchange', 'helper', tools(mcpTool('mail'))),
    );
    await controller.idle();
    expect((await configOf('s8-exchange/helper'))?.http_tools[0]?.token_exchange).toMatchObject({
      audiences: ['mail', 'mail-eu'],
      resources: ['https://mail.example/mcp'],
      scopes: ['mail:read'],
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
    expect(await targetsOf('s8-exchange/helper')).toMatchObject([
      { ...tokenExchange, server: 's8-exchange/mail' },
    ]);
  });

  test("S8 a change of a server's stsAudience reaches the agents that use it", async () => {
    await bed.team('s8-change', server('s8-change', 'mail', { stsAudience: 'one' }));
    await bed.put(agent('s8-change', 'helper', tools(mcpTool('mail'))));
    await controller.idle();
    const hash = (await bed.get('Agent', 's8-change/helper'))?.status as { configHash?: string };
    await bed.put(server('s8-change', 'mail', { stsAudience: 'two' }));
    await controller.idle();
    expect((await configOf('s8-change/helper'))?.http_tools).toMatchObject([{ sts_audience: 'two' }]);
    const after = (await bed.get('Agent', 's8-change/helper'))?.status as { configHash?: string };
    expect(after.configHash).not.toBe(hash.configHash);
  });

  test("S9 an agent's stsAudience wins over the server's, for this agent alone", async () => {
    await bed.team(
      's9',
      server('s9', 'mail', { stsAudience: 'mail' }),
      agent('s9', 'own', tools(mcpTool('mail', { stsAudience: 'mail-eu' }))),
      agent('s9', 'other', tools(mcpTool('mail'))),
    );
    await controller.idle();
    expect((await configOf('s9/own'))?.http_tools).toMatchObject([{ sts_audience: 'mail-eu' }]);
    expect((await configOf('s9/other'))?.http_tools).toMatchObject([{ sts_audience: 'mail' }]);
    expect(await targetsOf('s9/own')).toMatchObject([
      { audiences: ['mail-eu'], from: { audiences: 'tool' } },
    ]);
    expect(await targetsOf('s9/other')).toMatchObject([
      { audiences: ['mail'], from: { audiences: 'server' } },
    ]);
  });

  test('S9 each field is that of the tool reference, else of the server', async () => {
    await bed.team(
      's9-fields',
      server('s9-fields', 'mail', { tokenExchange: { audiences: ['mail'], scopes: ['mail:read'] } }),
      agent('s9-fields', 'helper', tools(mcpTool('mail', { tokenExchange: { scopes: ['mail:send'] } }))),
      agent('s9-fields', 'short', tools(mcpTool('mail', { stsAudience: 'mail-eu' }))),
    );
    await controller.idle();
    expect(await targetsOf('s9-fields/helper')).toMatchObject([
      { audiences: ['mail'], scopes: ['mail:send'], from: { audiences: 'server', scopes: 'tool' } },
    ]);
    expect(await targetsOf('s9-fields/short')).toMatchObject([
      { audiences: ['mail-eu'], scopes: ['mail:read'], from: { audiences: 'tool', scopes: 'server' } },
    ]);
    expect((await configOf('s9-fields/helper'))?.http_tools[0]?.token_exchange).toMatchObject({
      audiences: ['mail'],
      scopes: ['mail:send'],
    });
  });

  test('S9 where neither says anything, there is no delegated token, and no TokenService is needed', async () => {
    await bed.team('s9-none', server('s9-none', 'open'));
    await bed.delete('TokenService', 's9-none/default');
    const anonymous = { authentication: { mode: 'Anonymous' } };
    await bed.put(agent('s9-none', 'helper', tools(mcpTool('open')), anonymous));
    await controller.idle();
    const config = await configOf('s9-none/helper');
    expect(config).not.toHaveProperty('token_exchange');
    expect(Object.keys(config?.http_tools[0] ?? {})).not.toContain('sts_audience');
    expect(await targetsOf('s9-none/helper')).toEqual([{ server: 's9-none/open' }]);
  });

  test('S9 both forms at once are refused, at the server and at the reference', async () => {
    const both = { stsAudience: 'mail', tokenExchange: { audiences: ['mail'] } };
    const what = 'give one of stsAudience and tokenExchange, not both';
    await bed.team('s9-both');
    await expect(bed.put(server('s9-both', 'mail', both))).rejects.toThrow(what);
    await expect(bed.put(agent('s9-both', 'helper', tools(mcpTool('mail', both))))).rejects.toThrow(what);
  });

  test('S10 an agent becomes a config that its pods are made to be able to follow', async () => {
    const issuer = 'https://sts.example';
    await bed.team(
      's10',
      tokenService('s10', {
        clientAuthentication: {
          method: 'client_secret_basic',
          clientSecretRef: { name: 'sts', key: 'client-secret' },
        },
      }),
      secret('s10', 'sts', { 'client-secret': 'not-a-real-secret' }),
      server('s10', 'mail', { stsAudience: 'mail' }),
      agent('s10', 'helper', tools(mcpTool('mail', { toolNames: ['send'], requireApproval: ['send'] }))),
    );
    await controller.idle();
    const config = await configOf('s10/helper');
    const service = config?.token_exchange?.token_services['s10/default'];
    const root = '/var/run/secrets/onbehalf';
    expect(config).toMatchObject({
      name: 's10/helper',
      instruction: 'Help.',
      http_tools: [{ name: 's10/mail', tools: ['send'], require_approval: ['send'], sts_audience: 'mail' }],
    });
    expect(service).toMatchObject({
      issuer,
      client_id: 'agents',
      client_authentication: { client_secret: `file:${root}/data/secret/sts/client-secret` },
      actor: { source: 'file', path: expect.stringMatching(`^${root}/tokens/[0-9a-f]{32}$`) },
    });
    expect(fileOf(await bed.get('Secret', 's10/helper'), 'agent-card.json')).toMatchObject({
      name: 'helper',
    });
    const pod = podOf(await bed.get('Deployment', 's10/helper'));
    expect(pod.serviceAccountName).toBe('helper');
    expect(pod.containers[0]).toMatchObject({
      image: AGENT_IMAGE,
      args: ['--host', '0.0.0.0', '--port', '8080', '--filepath', '/config'],
    });
    expect(
      pod.volumes.find(({ name }: { name: string }) => name === 'onbehalf').projected.sources,
    ).toMatchObject([
      { secret: { name: 'sts', items: [{ key: 'client-secret', path: 'data/secret/sts/client-secret' }] } },
      {
        serviceAccountToken: {
          audience: issuer,
          expirationSeconds: 3600,
          path: service?.actor.path?.replace(`${root}/`, ''),
        },
      },
    ]);
    expect(await bed.get('Service', 's10/helper')).toMatchObject({
      spec: { selector: { 'onbehalf.dev/agent': 'helper' }, ports: [{ port: 8080, targetPort: 'http' }] },
    });
    expect(await bed.get('ServiceAccount', 's10/helper')).toBeDefined();
    expect(conditionsOf(await bed.get('Agent', 's10/helper'))).toEqual({
      Accepted: 'True Accepted',
      ResolvedRefs: 'True ResolvedRefs',
      Ready: 'False Progressing',
    });
  });

  test('S10 an agent is Ready when its pods are, and no sooner', async () => {
    await bed.team('s10-ready', agent('s10-ready', 'helper', { deployment: { replicas: 2 } }));
    await controller.idle();
    const pods = async (available: number): Promise<void> => {
      const { generation } = (await bed.get('Deployment', 's10-ready/helper'))?.metadata ?? {};
      const path = '/apis/apps/v1/namespaces/s10-ready/deployments/helper/status';
      const status = {
        observedGeneration: generation,
        ...{ replicas: 2, updatedReplicas: 2, readyReplicas: available, availableReplicas: available },
      };
      expect((await bed.plane.api('PATCH', path, { body: { status } })).status).toBe(200);
      await controller.idle();
    };
    const ready = async (): Promise<string | undefined> =>
      conditionsOf(await bed.get('Agent', 's10-ready/helper')).Ready;
    await pods(1);
    expect(await ready()).toBe('False Progressing');
    await pods(2);
    expect(await ready()).toBe('True Ready');
    await pods(1);
    expect(await ready()).toBe('False Progressing');
  });

  test('S10 a server of another namespace is used only as far as it permits', async () => {
    const selector = { matchLabels: { 'example.com/mail': 'yes' } };
    const allowedNamespaces = { from: 'Selector', selector };
    await bed.put(namespaceOf('s10-servers'));
    await bed.put(server('s10-servers', 'mail', { stsAudience: 'mail', allowedNamespaces }));
    await bed.team('s10-cross');
    await bed.put(agent('s10-cross', 'helper', tools(mcpTool('mail', { namespace: 's10-servers' }))));
    await controller.idle();
    expect(conditionsOf(await bed.get('Agent', 's10-cross/helper'))).toMatchObject({
      Accepted: 'True Accepted',
      ResolvedRefs: 'False NotPermitted',
      Ready: 'False UnresolvedRefs',
    });
    expect(await bed.get('Deployment', 's10-cross/helper')).toBeUndefined();
    // The label of a namespace is watched, too.
    await bed.put(namespaceOf('s10-cross', { 'example.com/mail': 'yes' }));
    await controller.idle();
    expect((await configOf('s10-cross/helper'))?.http_tools).toMatchObject([
      { name: 's10-servers/mail', sts_audience: 'mail' },
    ]);
  });
});
