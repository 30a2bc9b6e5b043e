import * as z from 'zod';

/** API group of the objects. */
export const GROUP = 'onbehalf.dev';
/** The one version there is. */
export const VERSION = 'v1alpha1';
/** `apiVersion` of the objects. */
export const API_VERSION: `${typeof GROUP}/${typeof VERSION}` = `${GROUP}/${VERSION}`;

/** What of an object's metadata is used here. */
export interface ObjectMeta {
  readonly name: string;
  /** Namespace; given by the API server, and by `metadata.namespace` of a manifest. */
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  /** Counts the changes of `spec`. */
  readonly generation?: number | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** When it was made, RFC 3339. */
  readonly creationTimestamp?: string | undefined;
  /** When deletion was asked for, RFC 3339. */
  readonly deletionTimestamp?: string | undefined;
}

/** An observation about an object, as all of Kubernetes tells them (`metav1.Condition`). */
export interface Condition {
  /** `Accepted`, `ResolvedRefs` or `Ready`. */
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  /** The `metadata.generation` that was looked at. */
  readonly observedGeneration?: number | undefined;
  /** When `status` changed last, RFC 3339. */
  readonly lastTransitionTime: string;
  /** One word for programs. */
  readonly reason: string;
  /** What is so, and what to do, for a person. */
  readonly message: string;
}

/** DNS-1123 subdomain: what names an object. */
export const objectName: z.ZodString = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);

/** DNS-1123 label: what names a namespace. */
export const namespaceName: z.ZodString = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);

/** A key of a Secret or ConfigMap. Never `.`, nor with `..` before it: it becomes part of a path. */
export const dataKey: z.ZodString = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$/);

/** Name of a header field (RFC 9110 section 5.1). */
export const headerName: z.ZodString = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);

/** A text without control characters, which could not be sent. */
export const line = (max: number): z.ZodString =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}]+$/u);

/** An http or https URL, without white space and fragment. `\s` would mean less to the API server than here. */
export const httpUrl: z.ZodString = z
  .string()
  .max(2048)
  .regex(/^https?:\/\/[^\p{Z}\p{Cc}/?#]+[^\p{Z}\p{Cc}#]*$/u);

/** Texts by name, e.g. labels. */
export const textMap = (
  maxProperties: number,
  maxLength: number,
): z.ZodType<Readonly<Record<string, string>>> =>
  z
    .record(z.string(), z.string().max(maxLength))
    .check(({ value, issues }) => {
      if (Object.keys(value).length <= maxProperties) return;
      const message = `must have at most ${maxProperties} entries`;
      issues.push({ code: 'too_big', origin: 'object', maximum: maxProperties, input: value, message });
    })
    .meta({ maxProperties });

/** Conditions of a status, one of each type. */
export const conditions: z.ZodType<readonly Condition[] | undefined> = z
  .array(
    z.object({
      type: z.string().max(316).describe('Accepted, ResolvedRefs or Ready.'),
      status: z.enum(['True', 'False', 'Unknown']).describe('Whether it is so.'),
      observedGeneration: z.int().min(0).optional().describe('The metadata.generation that was looked at.'),
      lastTransitionTime: z.iso.datetime({ offset: true }).describe('When status changed last.'),
      reason: z.string().min(1).max(1024).describe('One word for programs.'),
      message: z.string().max(32_768).describe('What is so, and what to do about it.'),
    }),
  )
  .max(8)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
  .optional()
  .describe('What the controller has found out about the object.');

/** `status.observedGeneration`. */
export const observedGeneration: z.ZodOptional<z.ZodInt> = z
  .int()
  .min(0)
  .optional()
  .describe('The metadata.generation that the status is about.');
