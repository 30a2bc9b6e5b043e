import { expect, test } from 'vitest';
import { ADKTokenPropagationPlugin, createHeaderProvider, DelegatedMCPToolset } from '../../src/adk/index.ts';
import { createBroker } from '../../src/broker/broker.ts';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { resolveTarget } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import {
  createDelegatedFetch,
  createSessionPool,
  createToolCatalogue,
  defineMcpServer,
} from '../../src/mcp/index.ts';

const tokenService = createTokenService({
  tokenEndpoint: 'https://sts.example.com/token',
  clientId: 'agent',
});
const broker = createBroker({ tokenService });
const plugin = new ADKTokenPropagationPlugin({ broker });
const url = 'https://mcp.example.com/mcp';
const service = { issuer: 'https://sts.example.com', clientId: 'agent' };
/** What a user without type checks may write. */
const any = (value: unknown): never => value as never;

test.each<[string, () => unknown, string]>([
  [
    'a misspelt option of the broker',
    () => createBroker(any({ tokenService, retain: 'subject' })),
    '"retain"',
  ],
  ['a broker without an STS', () => createBroker(any({})), '"tokenService"'],
  ['an STS of somebody else', () => createBroker(any({ tokenService: {} })), '"tokenService"'],
  ['an actor that is no function', () => createBroker(any({ tokenService, actor: 'abc' })), '"actor"'],
  ['no options at all', () => createBroker(any(undefined)), 'createBroker() needs options'],
  ['a time-out that is text', () => createTokenService(any({ ...service, timeoutMs: '5s' })), '"timeoutMs"'],
  ['a negative time-out', () => createTokenService({ ...service, timeoutMs: -1 }), '"timeoutMs"'],
  [
    'a secret in the wrong place',
    () => createTokenService(any({ ...service, clientSecret: 'x' })),
    '"clientSecret"',
  ],
  ['an STS without client id', () => createTokenService(any({ issuer: service.issuer })), '"clientId"'],
  ['an actor without an STS', () => clientCredentialsActor(any(undefined)), '"tokenService"'],
  ['scopes for scope', () => resolveTarget(any({ audience: 'x', scopes: 'read' })), '"scopes"'],
  ['no target', () => resolveTarget(any(undefined)), 'target'],
  ['a fetch without a target', () => createDelegatedFetch(any({ broker, url })), '"target"'],
  ['a fetch with an audience', () => createDelegatedFetch(any({ broker, url, audience: 'x' })), '"audience"'],
  ['a fetch without a broker', () => createDelegatedFetch(any({ url, target: 'x' })), '"broker"'],
  ['a fetch without options', () => createDelegatedFetch(any(undefined)), '"broker"'],
  ['a server without URL', () => defineMcpServer(any({ target: 'x' })), '"url"'],
  ['a pool without a broker', () => createSessionPool(any({})), '"broker"'],
  ['a catalogue without a pool', () => createToolCatalogue(any({})), '"pool"'],
  ['a plugin without a broker', () => new ADKTokenPropagationPlugin(any({})), '"broker"'],
  [
    'a plugin without options',
    () => new ADKTokenPropagationPlugin(any(undefined)),
    'ADKTokenPropagationPlugin',
  ],
  ['an unknown discovery', () => new DelegatedMCPToolset(any({ url, discovery: 'annon' })), '"discovery"'],
  ['a misspelt filter', () => new DelegatedMCPToolset(any({ url, toolfilter: [] })), '"toolfilter"'],
  ['a toolset without options', () => new DelegatedMCPToolset(any(undefined)), 'DelegatedMCPToolset'],
  ['a header provider without a target', () => createHeaderProvider(any({ broker })), '"target"'],
])('%s is told at once, by name', (_what, make, named) => {
  expect(make).toThrow(TypeError);
  expect(make).toThrow(named);
});

test('nothing in place of a toolset is refused as unsupported', () => {
  expect(() => plugin.registerToolset(any(undefined), 'x')).toThrow(
    expect.objectContaining({ code: 'toolset_unsupported' }),
  );
});
