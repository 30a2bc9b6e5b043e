import { loadYaml } from '../load-yaml.ts';
import type { CustomResourceDefinition } from './custom-resource-definition.ts';

const NOTICE = ' Generated from src/kubernetes/api: npm run onbehalf -- crds --directory deploy/crds';

/**
 * A CRD as YAML, with a comment that tells where it comes from.
 *
 * @throws Error that names the package to install when `yaml` is missing
 */
export async function crdYaml(definition: CustomResourceDefinition): Promise<string> {
  const { Document } = await loadYaml();
  const document = new Document(definition);
  document.commentBefore = NOTICE;
  return document.toString({ lineWidth: 110, directives: true });
}

/** Name of the file of a CRD in `deploy/crds`. */
export function crdFile(definition: CustomResourceDefinition): string {
  return `${definition.metadata.name}.yaml`;
}
