import type { TestProject } from 'vitest/node';
import { type KubePrograms, kubePrograms } from '../support/kube-programs.ts';
import { serverMissing } from '../support/missing.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The programs of Kubernetes; `undefined` where they cannot be had. */
    kube: KubePrograms | undefined;
  }
}

/** Builds Kubernetes, the first time. The tests start it, each file its own. */
export async function setup(project: TestProject): Promise<void> {
  try {
    project.provide('kube', await kubePrograms());
  } catch (error) {
    serverMissing('Kubernetes', error instanceof Error ? error.message : String(error));
    project.provide('kube', undefined);
  }
}
