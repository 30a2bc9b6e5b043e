import type { RuntimeConfig } from '../../config/runtime-config.ts';
import type { TargetStatus } from '../api/agent.ts';
import type { Kind, ObjectOf } from '../api/kinds.ts';

/** Names one object in the cluster. */
export interface ObjectKey {
  readonly kind: Kind | 'Secret' | 'ConfigMap' | 'Namespace';
  /** Empty for a Namespace. */
  readonly namespace: string;
  readonly name: string;
}

/** What is known of a Secret or ConfigMap: never a value. */
export interface DataObject {
  /** Its keys; `undefined`: not known, as when there is no cluster. */
  readonly keys: readonly string[] | undefined;
  /** Changes with its content: `resourceVersion`, or empty where there is no cluster. */
  readonly version: string;
}

/** Finds what objects refer to. Each look-up is a dependency, also of what is not there. */
export interface LookUp {
  readonly object: <K extends Kind>(kind: K, namespace: string, name: string) => ObjectOf[K] | undefined;
  readonly data: (kind: 'Secret' | 'ConfigMap', namespace: string, name: string) => DataObject | undefined;
  /**
   * The text of a key of a ConfigMap, for instructions; a Secret is never read: its text is mounted.
   * `undefined`: there is none, or it is not known.
   */
  readonly text: (namespace: string, name: string, key: string) => string | undefined;
  /** Labels of a namespace; `undefined`: not known. */
  readonly namespaceLabels: (name: string) => Readonly<Record<string, string>> | undefined;
}

/** Why an object cannot be used; the `reason` of a condition. */
export type ProblemReason =
  /** The object breaks its schema, or a field contradicts another. */
  | 'Invalid'
  /** What it refers to is not there, in the same namespace. */
  | 'NotFound'
  /** What it refers to is in another namespace, and is not there, or may not be used or not do this. */
  | 'NotPermitted'
  /** The Secret or ConfigMap lacks the key. */
  | 'KeyNotFound'
  /** The server has no tool of this name. */
  | 'UnknownTool'
  /** An approval names no tool of the agent. */
  | 'UnknownApproval'
  /** Agents are tools of each other, or too deep. */
  | 'AgentCycle'
  /** It needs a token, and there is no TokenService. */
  | 'NoTokenService'
  /** A feature of another system that there is nothing for here. */
  | 'Unsupported';

/** What is wrong, where, and what to do. Never holds a secret. */
export interface Problem {
  readonly object: ObjectKey;
  /** Field of that object, e.g. `spec.declarative.tools[0].mcpServer.name`. */
  readonly field: string;
  readonly reason: ProblemReason;
  readonly message: string;
}

/** Something that has to be at a path of the pod. */
export interface DataMount {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly name: string;
  readonly key: string;
  /** Absolute path of the file in the pod. */
  readonly path: string;
}

/** A service-account token that the kubelet puts into the pod and renews. */
export interface TokenMount {
  readonly audience: string;
  readonly expirationSeconds: number;
  /** Absolute path of the file in the pod. */
  readonly path: string;
}

/** A variable of the environment, from a Secret. */
export interface SecretVariable {
  readonly name: string;
  readonly secret: string;
  readonly key: string;
}

/** What an Agent comes to. */
export interface CompiledAgent {
  readonly config: RuntimeConfig;
  /** Content of `agent-card.json`. */
  readonly card: Readonly<Record<string, unknown>>;
  readonly mounts: readonly DataMount[];
  readonly tokens: readonly TokenMount[];
  readonly variables: readonly SecretVariable[];
  /** For status and `onbehalf explain`: in the order of the tools. */
  readonly targets: readonly TargetStatus[];
  /** The versions of the Secrets and ConfigMaps that the pods take, sorted: they roll when one changes. */
  readonly dataVersions: readonly string[];
}

/** A compiled agent, or what is wrong; `dependencies` in both cases: all that was looked for, sorted. */
export type Compilation =
  | {
      readonly compiled: CompiledAgent;
      readonly problems?: undefined;
      readonly dependencies: readonly ObjectKey[];
    }
  | {
      readonly compiled?: undefined;
      readonly problems: readonly Problem[];
      readonly dependencies: readonly ObjectKey[];
    };
