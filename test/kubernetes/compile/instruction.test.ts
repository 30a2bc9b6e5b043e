import { expect, test } from 'vitest';
import { textOrFile } from '../../../src/config/secret-text.ts';
import { lookUpOf } from '../../../src/kubernetes/look-up.ts';
import { agentWith, BASE, brief, compiled, compiling, data, type Given, problemsOf } from './objects.ts';

const from = (type: string): Given =>
  agentWith([], { declarative: { systemMessageFrom: { type, name: 'prompts', key: 'text' } } });
const AT = 'spec.declarative.systemMessageFrom';

test.each(['Be kind.', 'file:/etc/passwd', '$file:/x', `Say \${NAME}.`, ''])(
  'the instruction %j is that text for the agent',
  (systemMessage) => {
    const { config } = compiled(agentWith([], { declarative: { systemMessage } }));
    expect(textOrFile(config.instruction)).toBe(systemMessage);
  },
);

test('an Agent without an instruction has an empty one', () => {
  expect(compiled(agentWith([])).config.instruction).toBe('');
});

test('the instruction of a ConfigMap is in the config', () => {
  const objects = [...BASE, data('ConfigMap', 'prompts', { text: 'file: Be kind.' })];
  const { config, mounts, dataVersions } = compiled(from('ConfigMap'), objects);
  expect(textOrFile(config.instruction)).toBe('file: Be kind.');
  expect(mounts).toEqual([]);
  expect(dataVersions).toEqual(['ConfigMap/prompts/']);
});

test('the instruction of a Secret is a file of the pod', () => {
  const objects = [...BASE, data('Secret', 'prompts', { text: 'planted-instruction' })];
  const { config, mounts } = compiled(from('Secret'), objects);
  const path = '/var/run/secrets/onbehalf/data/secret/prompts/text';
  expect(textOrFile(config.instruction)).toEqual({ file: path });
  expect(mounts).toEqual([{ kind: 'Secret', name: 'prompts', key: 'text', path }]);
});

test('a ConfigMap whose text is not known is a problem that asks for its manifest', () => {
  const problems = problemsOf(from('ConfigMap'));
  expect(brief(problems)).toEqual([`NotFound Agent demo/assistant ${AT}.name`]);
  expect(problems[0]?.message).toContain('add the manifest of that ConfigMap');
});

test('a key that is not in the ConfigMap is a problem at the key', () => {
  const objects = [...BASE, data('ConfigMap', 'prompts', { texts: 'Be kind.' })];
  expect(brief(problemsOf(from('ConfigMap'), objects))).toEqual([
    `KeyNotFound Agent demo/assistant ${AT}.key`,
  ]);
});

test('in a cluster, a ConfigMap that is not there is a problem at its name', () => {
  const agent = from('ConfigMap');
  const lookUp = { ...lookUpOf([agent, ...BASE]), data: () => undefined };
  expect(brief(problemsOf(agent, BASE, lookUp))).toEqual([`NotFound Agent demo/assistant ${AT}.name`]);
});

test('an instruction that no Secret could hold is a problem', () => {
  const objects = [...BASE, data('ConfigMap', 'prompts', { text: 'x'.repeat(800_000) })];
  const problems = problemsOf(from('ConfigMap'), objects);
  expect(brief(problems)).toEqual(['Invalid Agent demo/assistant spec']);
  expect(problems[0]?.message).toContain('shorten the instruction');
});

test('the ConfigMap is a dependency', () => {
  expect(compiling(from('ConfigMap')).dependencies).toContainEqual({
    kind: 'ConfigMap',
    namespace: 'demo',
    name: 'prompts',
  });
});
