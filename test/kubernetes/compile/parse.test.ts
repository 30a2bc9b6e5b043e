import { expect, test } from 'vitest';
import { keyOf, parseObject } from '../../../src/kubernetes/compile/parse.ts';
import { agentWith, mcp, server } from './objects.ts';

test('defaults are added', () => {
  const { object } = parseObject('RemoteMCPServer', server('mail'));
  expect(object?.spec).toMatchObject({ protocol: 'STREAMABLE_HTTP', timeout: '30s', terminateOnClose: true });
});

test('an informer gives objects without apiVersion and kind', () => {
  const { apiVersion: _, kind: __, ...mail } = server('mail');
  expect(parseObject('RemoteMCPServer', mail).object?.kind).toBe('RemoteMCPServer');
});

test('a status that makes no sense is as none', () => {
  expect(
    parseObject('RemoteMCPServer', server('mail', {}, { status: { discoveredTools: 7 } })).object?.status,
  ).toBeUndefined();
});

test.each([7, null, 'text', [], { metadata: { name: 7, namespace: {} } }])('%j is a problem', (value) => {
  expect(parseObject('Agent', value).problems?.length).toBeGreaterThan(0);
});

test('no problem repeats a value', () => {
  const planted = 'planted-value';
  const agent = agentWith([mcp(planted.toUpperCase(), { stsAudience: [planted] })], {
    description: { [planted.slice(0, 3)]: planted },
    tokenExchange: { resources: [`${planted} ${planted}`], profile: planted, scopes: [`${planted}"`] },
    type: planted,
  });
  const { problems } = parseObject('Agent', {
    ...agent,
    metadata: { name: planted.toUpperCase(), namespace: 'demo' },
  });
  expect(problems?.length).toBeGreaterThan(4);
  expect(JSON.stringify(problems?.map(({ field, message }) => [field, message])).toLowerCase()).not.toContain(
    planted,
  );
});

test.each([
  [{ metadata: { name: 'a', namespace: 'b' } }, { namespace: 'b', name: 'a' }],
  [{ metadata: { name: 'a' } }, { namespace: 'default', name: 'a' }],
  [{}, { namespace: 'default', name: '' }],
  [null, { namespace: 'default', name: '' }],
])('%j is named', (object, expected) => {
  expect(keyOf('Agent', object)).toEqual({ kind: 'Agent', ...expected });
});
