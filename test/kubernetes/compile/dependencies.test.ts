import { expect, test } from 'vitest';
import { recording, textOf } from '../../../src/kubernetes/compile/dependencies.ts';
import { lookUpOf } from '../../../src/kubernetes/look-up.ts';
import { data, server } from './objects.ts';

test('every question is a dependency, each once, sorted, whatever the answer', () => {
  const { lookUp, dependencies } = recording(
    lookUpOf([server('mail'), data('ConfigMap', 'prompts', { a: 'x' })]),
  );
  expect(dependencies()).toEqual([]);
  expect(lookUp.object('RemoteMCPServer', 'demo', 'mail')?.metadata.name).toBe('mail');
  lookUp.object('RemoteMCPServer', 'demo', 'mail');
  expect(lookUp.object('Agent', 'demo', 'gone')).toBeUndefined();
  lookUp.namespaceLabels('demo');
  lookUp.data('Secret', 'demo', 'keys');
  expect(lookUp.text('demo', 'prompts', 'a')).toBe('x');
  expect(dependencies().map(textOf)).toEqual([
    'Agent demo/gone',
    'ConfigMap demo/prompts',
    'Namespace demo',
    'RemoteMCPServer demo/mail',
    'Secret demo/keys',
  ]);
});
