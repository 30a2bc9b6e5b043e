import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import type { Agent, TargetStatus } from '../../src/kubernetes/api/agent.ts';
import { KINDS, type Kind } from '../../src/kubernetes/api/kinds.ts';
import { API_VERSION } from '../../src/kubernetes/api/meta.ts';
import { compileAgent } from '../../src/kubernetes/compile/compile-agent.ts';
import type { CompiledAgent, LookUp } from '../../src/kubernetes/compile/types.ts';
import { filesOf, MANIFESTS, type Manifest, manifestOf, ROOT } from './manifests.ts';

const SAMPLES = MANIFESTS.filter(({ file }) => file.startsWith('deploy/samples/'));
const OURS = SAMPLES.filter(({ apiVersion }) => apiVersion === API_VERSION);
const AGENTS = OURS.filter(({ kind }) => kind === 'Agent');

/** What the reader of the demo makes, as its comment says: no file has it. */
const SECRET: Manifest = {
  ...{ file: '', apiVersion: 'v1', kind: 'Secret', stringData: { 'client-secret': '' } },
  metadata: { namespace: 'onbehalf-demo', name: 'sts-client' },
};

/** Finds among some manifests what is there, as in a cluster. */
function lookUpAmong(manifests: readonly Manifest[]): LookUp {
  const find = (kind: string, namespace: string, name: string): Manifest | undefined =>
    manifests.find(
      (one) =>
        one.kind === kind && one.metadata.name === name && (one.metadata.namespace ?? '') === namespace,
    );
  return {
    object: (kind, namespace, name) => find(kind, namespace, name) as never,
    data: (kind, namespace, name) => {
      const found = find(kind, namespace, name);
      return found && { keys: Object.keys(found.stringData ?? found.data), version: '' };
    },
    text: (namespace, name, key) => find('ConfigMap', namespace, name)?.data[key],
    namespaceLabels: (name) => find('Namespace', '', name)?.metadata.labels,
  };
}

function compiled(name: string, among = SAMPLES): CompiledAgent {
  const agent = AGENTS.find(({ metadata }) => metadata.name === name);
  const result = compileAgent(agent as unknown as Agent, lookUpAmong([...among, SECRET]));
  if (result.problems) throw new Error(JSON.stringify(result.problems, undefined, 2));
  return result.compiled;
}

it('has each kind, and each in the namespace that the demo makes', () => {
  expect([...new Set(OURS.map(({ kind }) => kind))].sort()).toEqual(Object.keys(KINDS).sort());
  for (const { file, kind, metadata } of SAMPLES) {
    const expected = kind === 'Namespace' ? undefined : 'onbehalf-demo';
    expect([file, metadata.namespace]).toEqual([file, expected]);
  }
});

it.each(OURS)('$kind $metadata.name in $file keeps its schema', ({ kind, spec }) => {
  expect(KINDS[kind as Kind].spec.safeParse(spec).error?.issues).toBeUndefined();
});

it.each(AGENTS)('the agent $metadata.name comes to a config without a problem', ({ metadata: { name } }) => {
  expect(compiled(name).config.name).toBe(`onbehalf-demo/${name}`);
});

/** The targets of an agent, without where they come from. */
const targets = (name: string): readonly Partial<TargetStatus>[] =>
  compiled(name).targets.map(({ from: _, ...target }) => target);
const TOKEN_SERVICE = 'onbehalf-demo/default';

it('shows S8 and S9: the audience of the server, and another one that the agent gives', () => {
  const demo = SAMPLES.filter(({ file }) => filesOf('deploy/samples/demo').includes(file));
  expect(compiled('assistant', demo).targets).toEqual([
    {
      server: 'onbehalf-demo/calendar',
      tokenService: TOKEN_SERVICE,
      audiences: ['calendar'],
      from: { audiences: 'server', tokenService: 'default' },
    },
    {
      server: 'onbehalf-demo/mail',
      tokenService: TOKEN_SERVICE,
      audiences: ['mail-eu'],
      from: { audiences: 'tool', tokenService: 'default' },
    },
  ]);
});

it('shows that the agent changes one field of the exchange and keeps the others', () => {
  const [target] = compiled('archivist').targets;
  expect(target).toEqual({
    server: 'onbehalf-demo/files',
    tokenService: TOKEN_SERVICE,
    audiences: ['files', 'files-index'],
    resources: ['https://files.example.com/mcp'],
    scopes: ['files.read', 'files.delete'],
    requestedTokenType: 'urn:ietf:params:oauth:token-type:jwt',
    from: {
      audiences: 'server',
      resources: 'server',
      scopes: 'tool',
      requestedTokenType: 'server',
      tokenService: 'default',
    },
  });
});

it('shows a header from a Secret: the config has its place, and not its value', () => {
  const { config, mounts } = compiled('forecaster');
  expect(mounts).toEqual([expect.objectContaining({ kind: 'Secret', name: 'weather-key', key: 'key' })]);
  expect(config.http_tools[0]?.params.headers).toEqual({
    'X-API-Key': `file:${mounts[0]?.path}`,
    'X-Client': 'forecaster',
  });
  expect(targets('forecaster')).toEqual([{ server: 'onbehalf-demo/weather' }]);
});

it('shows an agent as a tool, with a token for its audience', () => {
  expect(targets('concierge')).toEqual([
    { server: 'onbehalf-demo/historian', tokenService: TOKEN_SERVICE, audiences: ['historian'] },
  ]);
});

it('shows an agent whose image is its own: it has no model, and a token service to use', () => {
  const { config } = compiled('own');
  expect(config.model).toBeNull();
  expect(Object.keys(config.token_exchange?.token_services ?? {})).toEqual([TOKEN_SERVICE]);
});

it('has the service account act, by a token whose audience is the STS', () => {
  const { tokens, config } = compiled('assistant');
  expect(tokens).toEqual([
    { audience: 'https://sts.example.com', expirationSeconds: 3600, path: expect.any(String) },
  ]);
  expect(config.token_exchange?.token_services[TOKEN_SERVICE]).toMatchObject({
    client_authentication: { method: 'client_secret_basic', client_secret: expect.stringMatching(/^file:/) },
    actor: { source: 'file', path: tokens[0]?.path },
  });
});

it('leaves the secret of the client to the reader, and says how to make it', () => {
  const { clientSecretRef } = manifestOf('TokenService', 'default').spec.clientAuthentication;
  expect(
    SAMPLES.filter(({ kind, metadata }) => kind === 'Secret' && metadata.name === clientSecretRef.name),
  ).toEqual([]);
  const command = `kubectl -n onbehalf-demo create secret generic ${clientSecretRef.name} --from-file=${clientSecretRef.key}=`;
  for (const file of ['deploy/samples/demo/token-service.yaml', 'docs/kubernetes.md']) {
    expect(readFileSync(join(ROOT, file), 'utf8')).toContain(command);
  }
});

async function explain(...paths: readonly string[]): Promise<string> {
  let out = '';
  let err = '';
  const code = await run(['explain', ...paths.flatMap((path) => ['-f', join(ROOT, path)])], {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    interrupted: () => new Promise(() => {}),
  });
  expect([code, err]).toEqual([0, '']);
  return out;
}

it('is what "onbehalf explain" takes, folders with what is for kustomize in them', async () => {
  expect(await explain('deploy/samples/demo', 'deploy/samples')).toContain('files-index');
});

it('is explained as the page shows it', async () => {
  expect(readFileSync(join(ROOT, 'docs/kubernetes.md'), 'utf8')).toContain(
    `\`\`\`\n${await explain('deploy/samples/demo')}\`\`\`\n`,
  );
});
