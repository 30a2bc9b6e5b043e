import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { customResourceDefinitions } from '../../../src/kubernetes/crd/custom-resource-definition.ts';
import { crdFile, crdYaml } from '../../../src/kubernetes/crd/yaml.ts';

const FOLDER = new URL('../../../deploy/crds/', import.meta.url);
const HOW = 'deploy/crds is out of date: npm run onbehalf -- crds --directory deploy/crds';

test.each(customResourceDefinitions())(
  'the committed file of $metadata.name is what is generated',
  async (crd) => {
    const committed = await readFile(new URL(crdFile(crd), FOLDER), 'utf8').catch(() => 'no file');
    expect(committed === (await crdYaml(crd)), HOW).toBe(true);
  },
);

test('no other kind has a file', async () => {
  const files = (await readdir(FOLDER)).filter((file) => file !== 'kustomization.yaml');
  expect(files.sort(), HOW).toEqual(customResourceDefinitions().map(crdFile));
});

test('the file says where it comes from', async () => {
  for (const crd of customResourceDefinitions()) {
    const [first] = (await crdYaml(crd)).split('\n');
    expect(first).toBe(
      '# Generated from src/kubernetes/api: npm run onbehalf -- crds --directory deploy/crds',
    );
  }
});
