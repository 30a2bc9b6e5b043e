import { expect, test } from 'vitest';
import { loadAgentFolder } from '../../src/agent/load-config.ts';
import { folderOf } from './support.ts';

const CONFIG = {
  model: { type: 'scripted', model: 'script', turns: [{ text: 'Done.' }] },
  authentication: { mode: 'trusted_proxy' },
};
const server = (host: string, more: object = {}): object => ({
  params: { url: `https://${host}/mcp` },
  ...more,
});
const ENVIRONMENT = {
  KAGENT_NAMESPACE: 'team',
  KAGENT_NAME: 'helper',
  STS_WELL_KNOWN_URI: 'https://sts.example.com/.well-known/oauth-authorization-server',
  KAGENT_STS_AUDIENCE: ' calendar, ,mail ',
  KAGENT_STS_RESOURCE: 'https://calendar.example.com',
};
const loaded = (config: object, environment: Record<string, string>) =>
  loadAgentFolder(folderOf({ ...CONFIG, ...config }), environment);

test('the variables of kagent fill in what the config leaves out', async () => {
  const { config } = await loaded({ http_tools: [server('calendar.example.com')] }, ENVIRONMENT);

  expect(config.name).toBe('team/helper');
  expect(config.token_exchange).toMatchObject({
    token_services: {
      kagent: {
        metadata_url: ENVIRONMENT.STS_WELL_KNOWN_URI,
        client_id: 'team/helper',
        actor: { source: 'file', path: '/var/run/secrets/kubernetes.io/serviceaccount/token' },
      },
    },
    retention: 'run',
  });
  expect(config.http_tools[0]?.token_exchange).toEqual({
    audiences: ['calendar', 'mail'],
    resources: ['https://calendar.example.com'],
  });
});

test('what the config says goes before', async () => {
  const services = { own: { issuer: 'https://own.example.com', client_id: 'own' } };
  const { config } = await loaded(
    {
      name: 'own/name',
      http_tools: [server('calendar.example.com', { sts_audience: 'own' })],
      token_exchange: { token_services: services },
    },
    ENVIRONMENT,
  );

  expect(config.name).toBe('own/name');
  expect(Object.keys(config.token_exchange?.token_services ?? {})).toEqual(['own']);
  expect(config.http_tools[0]).toMatchObject({ sts_audience: 'own' });
  expect(config.http_tools[0]?.token_exchange).toBeUndefined();
});

test('without an STS no server has a target, whatever the audience', async () => {
  const { STS_WELL_KNOWN_URI: _, ...rest } = ENVIRONMENT;
  const { config } = await loaded({ http_tools: [server('calendar.example.com')] }, rest);
  expect(config.token_exchange).toBeUndefined();
  expect(config.http_tools[0]?.token_exchange).toBeUndefined();
});

test.each([undefined, '', ' , '])('an audience of %j is none', async (audience) => {
  const { KAGENT_STS_AUDIENCE: _, KAGENT_STS_RESOURCE: __, ...rest } = ENVIRONMENT;
  const environment = audience === undefined ? rest : { ...rest, KAGENT_STS_AUDIENCE: audience };
  const { config, warnings } = await loaded({ http_tools: [server('calendar.example.com')] }, environment);
  expect(config.http_tools[0]?.token_exchange).toBeUndefined();
  expect(warnings).toEqual([]);
});

test('several servers with one audience are warned of', async () => {
  const { warnings } = await loaded(
    { http_tools: [server('calendar.example.com'), server('mail.example.com')] },
    ENVIRONMENT,
  );
  expect(warnings).toEqual([expect.stringContaining('give each a sts_audience')]);
});

test('a token of a user is never handed on as it is, and whoever asks for that is told', async () => {
  const { config, warnings } = await loaded(
    { http_tools: [server('calendar.example.com')] },
    { KAGENT_PROPAGATE_TOKEN: 'true' },
  );
  expect(warnings).toEqual([expect.stringMatching(/^KAGENT_PROPAGATE_TOKEN is passed over/)]);
  expect(config.http_tools[0]?.token_exchange).toBeUndefined();
});
