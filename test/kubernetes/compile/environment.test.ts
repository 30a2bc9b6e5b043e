import { expect, test } from 'vitest';
import { lookUpOf } from '../../../src/kubernetes/look-up.ts';
import {
  agentWith,
  BASE,
  brief,
  compiled,
  compiling,
  data,
  type Given,
  model,
  ours,
  problemsOf,
  service,
} from './objects.ts';

const withEnv = (...env: readonly object[]): Given => agentWith([], { declarative: { deployment: { env } } });
const fromSecret = (name: string, key = 'key'): object => ({
  name,
  valueFrom: { secretKeyRef: { name: 'settings', key } },
});

test('pods roll with the Secrets and ConfigMaps of the variables that the user adds', () => {
  const configMapKeyRef = { name: 'levels', key: 'log' };
  const agent = withEnv(
    fromSecret('A'),
    { name: 'B', valueFrom: { configMapKeyRef } },
    { name: 'C', value: 'c' },
  );
  const { dataVersions, mounts, variables } = compiled(agent);
  expect(dataVersions).toEqual(['ConfigMap/levels/', 'Secret/settings/']);
  expect({ mounts, variables }).toEqual({ mounts: [], variables: [] });
});

test('a variable from a key that is not there is a problem', () => {
  const objects = [...BASE, data('Secret', 'settings', { other: 'x' })];
  expect(brief(problemsOf(withEnv({ name: 'A', value: 'a' }, fromSecret('B')), objects))).toEqual([
    'KeyNotFound Agent demo/assistant spec.declarative.deployment.env[1].valueFrom.secretKeyRef.key',
  ]);
});

test('in a cluster, a variable from a Secret that is not there is a problem', () => {
  const agent = withEnv(fromSecret('A'));
  const lookUp = { ...lookUpOf([agent, ...BASE]), data: () => undefined };
  expect(brief(problemsOf(agent, BASE, lookUp))).toEqual([
    'NotFound Agent demo/assistant spec.declarative.deployment.env[0].valueFrom.secretKeyRef.name',
  ]);
});

test('a variable that is given twice is a problem', () => {
  const agent = withEnv({ name: 'A', value: '1' }, { name: 'A', value: '2' });
  expect(brief(problemsOf(agent))).toEqual([
    'Invalid Agent demo/assistant spec.declarative.deployment.env[1].name',
  ]);
});

test('the variable of the API key cannot be set by the Agent too', () => {
  const objects = [service(), model({ apiKeySecret: 'keys', apiKeySecretKey: 'key' })];
  expect(brief(problemsOf(withEnv({ name: 'OPENAI_API_KEY', value: 'x' }), objects))).toEqual([
    'Invalid Agent demo/assistant spec.declarative.deployment.env[0].name',
  ]);
});

test('the variables of an image that the user brings are looked at as well', () => {
  const env = [fromSecret('A')];
  const agent = ours('Agent', 'assistant', {
    type: 'BYO',
    byo: { deployment: { image: 'registry.example.com/agent:1', env } },
  });
  const { dependencies } = compiling(agent);
  expect(dependencies).toContainEqual({ kind: 'Secret', namespace: 'demo', name: 'settings' });
  expect(compiled(agent).dataVersions).toEqual(['Secret/settings/']);
});
