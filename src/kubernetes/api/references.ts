import * as z from 'zod';
import { dataKey, headerName, line, namespaceName, objectName, textMap } from './meta.ts';
import { exactlyOneOf, type Rule, together, withRules } from './rules.ts';

/** Names an object of a kind that its place in the spec says. */
export interface ObjectReference {
  readonly name: string;
  /** Default: the namespace of the object that refers. */
  readonly namespace?: string | undefined;
}

/** One key of a Secret in the namespace of the object that refers. */
export interface SecretKeyReference {
  readonly name: string;
  readonly key: string;
}

/** A header field that is sent with each request. Exactly one of `value` and `valueFrom`. */
export interface HeaderValue {
  readonly name: string;
  readonly value?: string | undefined;
  readonly valueFrom?: ValueSource | undefined;
}

/** A key of a Secret or ConfigMap. */
export interface ValueSource {
  readonly type: 'Secret' | 'ConfigMap';
  readonly name: string;
  readonly key: string;
}

/** Who may refer to an object from other namespaces. */
export interface AllowedNamespaces {
  readonly from: 'All' | 'Same' | 'Selector';
  readonly selector?: LabelSelector | undefined;
}

/** `metav1.LabelSelector`. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined;
  readonly matchExpressions?: readonly LabelRequirement[] | undefined;
}

/** One requirement of a {@link LabelSelector}. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values?: readonly string[] | undefined;
}

/** How a server's certificate is verified. */
export interface TlsSpec {
  readonly disableVerify?: boolean | undefined;
  readonly caCertSecretRef?: string | undefined;
  readonly caCertSecretKey?: string | undefined;
  readonly disableSystemCAs?: boolean | undefined;
}

/** Schema of {@link ObjectReference}. */
export const objectReference: z.ZodType<ObjectReference> = z.strictObject({
  name: objectName.describe('Name of the object.'),
  namespace: namespaceName
    .optional()
    .describe('Its namespace, which its allowedNamespaces must permit. Default: that of this object.'),
});

/** Schema of {@link SecretKeyReference}. */
export const secretKeyReference: z.ZodType<SecretKeyReference> = z.strictObject({
  name: objectName.describe('Name of the Secret.'),
  key: dataKey.describe('Key of the Secret.'),
});

const valueSource: z.ZodType<ValueSource> = z
  .strictObject({
    type: z.enum(['Secret', 'ConfigMap']).describe('Kind of the object that holds the value.'),
    name: objectName.describe('Name of the Secret or ConfigMap, in the namespace of this object.'),
    key: dataKey.describe('Key of the Secret or ConfigMap.'),
  })
  .describe('Takes the value from a Secret or ConfigMap. It is mounted into the pod, never copied.');

/** Schema of a list of {@link HeaderValue}. */
export const headerValues: z.ZodType<readonly HeaderValue[] | undefined> = z
  .array(
    withRules(
      z.strictObject({
        name: headerName.describe('Name of the header field.'),
        value: line(8192).optional().describe('Its value, in plain sight. For a secret use valueFrom.'),
        valueFrom: valueSource.optional(),
      }),
      [exactlyOneOf('value', 'valueFrom')],
    ),
  )
  .max(32)
  .optional()
  .describe(
    'Header fields sent with each request. Weaker than allowed inbound fields and than the delegated Authorization.',
  );

const selector: z.ZodType<LabelSelector> = z.strictObject({
  matchLabels: textMap(64, 63).optional().describe('Labels that must have these values.'),
  matchExpressions: z
    .array(
      withRules(
        z.strictObject({
          key: z.string().min(1).max(316).describe('The label.'),
          operator: z
            .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
            .describe(
              'In, NotIn: the label has one of the values, or none of them. Exists, DoesNotExist: it is there, or not.',
            ),
          values: z
            .array(z.string().max(63))
            .min(1)
            .max(64)
            .optional()
            .describe('The values; for In and NotIn.'),
        }),
        [
          {
            cel: "has(self.values) == (self.operator in ['In', 'NotIn'])",
            message: 'values is needed for the operators In and NotIn, and for no other',
            holds: ({ operator, values }) => (values !== undefined) === ['In', 'NotIn'].includes(operator),
          },
        ],
      ),
    )
    .max(32)
    .optional()
    .describe('Requirements, all of which must hold.'),
});

/** Schema of {@link AllowedNamespaces}. */
export const allowedNamespaces: z.ZodType<AllowedNamespaces | undefined> = withRules(
  z.strictObject({
    from: z
      .enum(['All', 'Same', 'Selector'])
      .default('Same')
      .describe('Same: this namespace only. Selector: those whose labels match. All: every namespace.'),
    selector: selector.optional().describe('Labels of the namespaces, for from: Selector.'),
  }),
  [
    {
      cel: "(self.from == 'Selector') == has(self.selector)",
      message: 'from: Selector and selector must be given together',
      holds: ({ from, selector: labels }) => (from === 'Selector') === (labels !== undefined),
    },
  ],
)
  .optional()
  .describe('Namespaces whose objects may refer to this one. Default: its own only.');

/** Schema of {@link TlsSpec}. */
export const tlsSpec: z.ZodType<TlsSpec | undefined> = withRules(
  z.strictObject({
    disableVerify: z
      .boolean()
      .optional()
      .describe('Takes any certificate, so that anyone on the way can read the tokens. For trials only.'),
    caCertSecretRef: objectName.optional().describe('Secret with the CA that is trusted.'),
    caCertSecretKey: dataKey.optional().describe('Key of that Secret; it holds PEM.'),
    disableSystemCAs: z.boolean().optional().describe('Trusts only the CA of caCertSecretRef.'),
  }),
  [together('caCertSecretRef', 'caCertSecretKey')],
)
  .optional()
  .describe('How the certificate is verified. Default: by the CAs that the image trusts.');

/** A rule: TLS settings need https. */
export const tlsNeedsHttps: Rule<{ readonly url: string; readonly tls?: TlsSpec | undefined }> = {
  cel: "!has(self.tls) || self.url.startsWith('https://')",
  message: 'tls is for https URLs',
  holds: ({ url, tls }) => tls === undefined || url.startsWith('https://'),
};
