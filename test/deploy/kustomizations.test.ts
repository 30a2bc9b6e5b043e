import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, it } from 'vitest';
import {
  documentsOf,
  filesOf,
  KUSTOMIZATIONS,
  kustomizationOf,
  MANIFESTS,
  ROOT,
  yamlFiles,
} from './manifests.ts';

it('has nothing but Kubernetes objects in its YAML files', () => {
  expect(MANIFESTS.length).toBeGreaterThan(30);
  for (const { file, apiVersion, kind, metadata } of MANIFESTS) {
    expect([file, apiVersion, kind, metadata?.name]).toEqual([
      file,
      expect.stringMatching(/^([a-z.0-9]+\/)?v\d/),
      expect.stringMatching(/^[A-Z]\w+$/),
      expect.stringMatching(/^[a-z][a-z0-9.-]+$/),
    ]);
  }
});

it('has no object twice', () => {
  const names = MANIFESTS.map(
    ({ kind, metadata: { namespace = '', name } }) => `${kind} ${namespace}/${name}`,
  );
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

it.each(KUSTOMIZATIONS)('%s names only what is there', (folder) => {
  const { resources = [], configurations = [] } = kustomizationOf(folder);
  const needed = resources.map((one) => (one.endsWith('.yaml') ? one : join(one, 'kustomization.yaml')));
  expect(needed.length).toBeGreaterThan(0);
  for (const path of [...needed, ...configurations]) {
    expect([path, existsSync(join(ROOT, folder, path))]).toEqual([path, true]);
  }
});

it('forgets no file: each is in a kustomization, or is a sample that the list of samples tells of', () => {
  const listed = new Set(KUSTOMIZATIONS.flatMap(filesOf));
  const settings = KUSTOMIZATIONS.flatMap((folder) =>
    (kustomizationOf(folder).configurations ?? []).map((name) => relative(ROOT, join(ROOT, folder, name))),
  );
  const samples = readFileSync(join(ROOT, 'deploy/samples/README.md'), 'utf8');
  const forgotten = yamlFiles('deploy')
    .filter((file) => !file.endsWith('/kustomization.yaml') && !listed.has(file) && !settings.includes(file))
    .filter((file) => dirname(file) !== 'deploy/samples' || !samples.includes(`](${file.slice(15)})`));
  expect(forgotten).toEqual([]);
});

it('lists no sample that is not there', () => {
  const samples = readFileSync(join(ROOT, 'deploy/samples/README.md'), 'utf8');
  const links = [...samples.matchAll(/\]\(([^)]+)\)/g)].map(([, to = '']) => to);
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter((to) => !existsSync(join(ROOT, 'deploy/samples', to)))).toEqual([]);
});

it.each(['cluster', 'namespaced'])('the overlay %s puts in the names of both images', (name) => {
  const folder = `deploy/overlays/${name}`;
  const { images = [] } = kustomizationOf(folder);
  const [deployment] = documentsOf('deploy/base/deployment.yaml');
  const [container] = deployment?.spec.template.spec.containers ?? [];
  const used = [container.image, ...container.env.map(({ value }: { value: string }) => value)];
  expect(images.map((one) => one.name).sort()).toEqual(used.sort());
  // kustomize knows the field "image" by itself; the one of the agents only by this.
  expect(documentsOf(`${folder}/image-fields.yaml`)).toEqual(
    documentsOf('deploy/overlays/cluster/image-fields.yaml').map((one) => ({
      ...one,
      file: `${folder}/image-fields.yaml`,
    })),
  );
  expect(readFileSync(join(ROOT, folder, 'image-fields.yaml'), 'utf8')).toContain(
    'spec/template/spec/containers[]/env[]/value',
  );
});
