// What is read of a Deployment, as the API server gives it.

export interface DeploymentObject {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly generation: number };
  readonly spec: { readonly replicas: number; readonly template: { readonly spec: PodSpec } };
}

export interface PodSpec {
  readonly serviceAccountName: string;
  readonly automountServiceAccountToken?: boolean;
  readonly securityContext: { readonly runAsNonRoot?: boolean; readonly fsGroup?: number };
  readonly terminationGracePeriodSeconds: number;
  readonly volumes: readonly Volume[];
  readonly containers: readonly [Container];
}

export interface Container {
  readonly image: string;
  readonly command?: readonly string[];
  readonly args: readonly string[];
  readonly env?: readonly EnvVar[];
  readonly volumeMounts: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }[];
  readonly securityContext: { readonly readOnlyRootFilesystem?: boolean };
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
}

export interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string | number };
}

export interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } };
}

export interface DataSource {
  readonly secretName?: string;
  readonly name?: string;
  readonly items?: readonly { readonly key: string; readonly path: string }[];
  readonly defaultMode?: number;
}

export interface ProjectedSource {
  readonly secret?: DataSource;
  readonly configMap?: DataSource;
  readonly serviceAccountToken?: {
    readonly audience: string;
    readonly expirationSeconds: number;
    readonly path: string;
  };
}

export interface Volume {
  readonly name: string;
  readonly secret?: DataSource;
  readonly configMap?: DataSource;
  readonly emptyDir?: object;
  readonly projected?: { readonly sources: readonly ProjectedSource[]; readonly defaultMode?: number };
}
