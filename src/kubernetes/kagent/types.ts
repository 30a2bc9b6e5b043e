import type { ProblemReason } from '../compile/types.ts';

/** Names an object as it was given: kagent's kinds are not those of this group. */
export interface GivenKey {
  readonly apiVersion: string;
  readonly kind: string;
  /** `default` where the manifest says none. */
  readonly namespace: string;
  /** Empty where the manifest says none. */
  readonly name: string;
}

/** Why an object of kagent cannot be taken; it is left out then. Never holds a value of a field. */
export interface ImportProblem {
  readonly object: GivenKey;
  /** Field of that object, e.g. `spec.declarative.tools[0].mcpServer.kind`. */
  readonly field: string;
  readonly reason: ProblemReason;
  /** What is wrong, and what to do. */
  readonly message: string;
}

/** What of an object has no effect here, although the object is taken. */
export interface ImportWarning {
  readonly object: GivenKey;
  readonly field: string;
  readonly message: string;
}

/** What comes of a set of objects. */
export interface KagentImport {
  /** In the order that was given: objects of this group in place of kagent's, and all others as they are. */
  readonly objects: readonly unknown[];
  readonly problems: readonly ImportProblem[];
  readonly warnings: readonly ImportWarning[];
}
