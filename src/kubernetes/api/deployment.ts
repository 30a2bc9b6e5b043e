import * as z from 'zod';
import { dataKey, line, objectName, textMap } from './meta.ts';
import { atMostOneOf, withRules } from './rules.ts';

/** How the pods of an agent are made. */
export interface DeploymentSpec {
  readonly replicas: number;
  /** Default: the image that the controller was told. */
  readonly image?: string | undefined;
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never' | undefined;
  readonly imagePullSecrets?: readonly { readonly name: string }[] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly env?: readonly EnvVar[] | undefined;
  readonly resources?: ResourceRequirements | undefined;
  readonly nodeSelector?: Readonly<Record<string, string>> | undefined;
  /** A service account of the user's own. Default: one is made, named as the agent. */
  readonly serviceAccountName?: string | undefined;
}

/** Deployment of an image that the user brings. */
export interface OwnDeploymentSpec extends DeploymentSpec {
  readonly image: string;
  readonly cmd?: string | undefined;
  readonly args?: readonly string[] | undefined;
}

/** A variable of the agent's environment. */
export interface EnvVar {
  readonly name: string;
  readonly value?: string | undefined;
  readonly valueFrom?: EnvSource | undefined;
}

/** Where the value of an {@link EnvVar} is. */
export interface EnvSource {
  readonly secretKeyRef?: { readonly name: string; readonly key: string } | undefined;
  readonly configMapKeyRef?: { readonly name: string; readonly key: string } | undefined;
}

/** `corev1.ResourceRequirements`, without claims. */
export interface ResourceRequirements {
  readonly limits?: Readonly<Record<string, string>> | undefined;
  readonly requests?: Readonly<Record<string, string>> | undefined;
}

/** The value of a label has at most 63 characters. */
const labels = textMap(64, 63);
const quantities = textMap(16, 32);
const keyRef = z.strictObject({
  name: objectName.describe('Name of the object.'),
  key: dataKey.describe('Key of the object.'),
});

const env: z.ZodType<EnvVar> = withRules(
  z.strictObject({
    name: z
      .string()
      .min(1)
      .max(256)
      .regex(/^[-._a-zA-Z][-._a-zA-Z0-9]*$/)
      .describe('Name of the variable.'),
    value: z.string().max(32_768).optional().describe('Its value.'),
    valueFrom: withRules(
      z.strictObject({
        secretKeyRef: keyRef.optional().describe('A key of a Secret.'),
        configMapKeyRef: keyRef.optional().describe('A key of a ConfigMap.'),
      }),
      [atMostOneOf('secretKeyRef', 'configMapKeyRef')],
    )
      .optional()
      .describe('Takes the value from a Secret or ConfigMap of the namespace.'),
  }),
  [atMostOneOf('value', 'valueFrom')],
);

const FIELDS = {
  replicas: z.int().min(0).max(1000).default(1).describe('Number of pods.'),
  imagePullPolicy: z
    .enum(['Always', 'IfNotPresent', 'Never'])
    .optional()
    .describe('When the image is pulled. Default: as Kubernetes decides.'),
  imagePullSecrets: z
    .array(z.strictObject({ name: objectName.describe('Name of the Secret.') }))
    .max(16)
    .optional()
    .describe('Secrets for pulling the image.'),
  labels: labels.optional().describe('Further labels of the pods.'),
  annotations: textMap(64, 8192).optional().describe('Further annotations of the pods.'),
  env: z.array(env).max(128).optional().describe('Further variables of the environment.'),
  resources: z
    .strictObject({
      limits: quantities.optional().describe('The most a pod may use, e.g. memory: 512Mi.'),
      requests: quantities.optional().describe('What a pod is sure to have.'),
    })
    .optional()
    .describe('Compute resources. Default: requests of 100m CPU and 128Mi of memory, limit of 512Mi.'),
  nodeSelector: labels.optional().describe('Labels of the nodes that the pods run on.'),
  serviceAccountName: objectName
    .optional()
    .describe('A service account that is there already. Default: one named as the agent is made.'),
};

/** Schema of {@link DeploymentSpec}. */
export const deploymentSpec: z.ZodType<DeploymentSpec> = z.strictObject({
  ...FIELDS,
  image: line(1024).optional().describe('Image of the agent server. Default: that of the controller.'),
});

/** Schema of {@link OwnDeploymentSpec}. */
export const ownDeploymentSpec: z.ZodType<OwnDeploymentSpec> = z.strictObject({
  ...FIELDS,
  image: line(1024).describe('Image that serves A2A on port 8080 and reads /config/config.json.'),
  cmd: z.string().max(1024).optional().describe('Command of the container. Default: that of the image.'),
  args: z
    .array(z.string().max(4096))
    .max(64)
    .optional()
    .describe('Arguments. Default: those of the pod contract.'),
});
