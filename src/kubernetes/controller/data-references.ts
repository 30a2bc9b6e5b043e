import type { ModelConfigSpec } from '../api/model-config.ts';
import type { HeaderValue, TlsSpec } from '../api/references.ts';
import type { RemoteMCPServerSpec } from '../api/remote-mcp-server.ts';
import type { TokenServiceSpec } from '../api/token-service.ts';
import type { LookUp, ObjectKey, Problem } from '../compile/types.ts';

/** A key of a Secret or ConfigMap that a spec names. */
export interface DataReference {
  readonly field: string;
  readonly kind: 'Secret' | 'ConfigMap';
  readonly name: string;
  readonly key: string;
}

/** What a server's spec takes from Secrets and ConfigMaps. */
export function serverReferences({ headersFrom = [], tls }: RemoteMCPServerSpec): readonly DataReference[] {
  const headers = headersFrom.flatMap(({ valueFrom }: HeaderValue, index): readonly DataReference[] => {
    if (valueFrom === undefined) return [];
    const { type: kind, name, key } = valueFrom;
    return [{ field: `spec.headersFrom[${index}].valueFrom`, kind, name, key }];
  });
  return [...headers, ...tlsReferences(tls)];
}

/** What a model's spec takes from Secrets. */
export function modelReferences(spec: ModelConfigSpec): readonly DataReference[] {
  const { apiKeySecret: name, apiKeySecretKey: key, tls } = spec;
  const apiKey: readonly DataReference[] =
    name === undefined || key === undefined
      ? []
      : [{ field: 'spec.apiKeySecret', kind: 'Secret', name, key }];
  return [...apiKey, ...tlsReferences(tls)];
}

/** What an STS's spec takes from Secrets. */
export function tokenServiceReferences({
  clientAuthentication,
  tls,
}: TokenServiceSpec): readonly DataReference[] {
  const { clientSecretRef, privateKeyRef, certificateSecret: name } = clientAuthentication;
  const at = 'spec.clientAuthentication';
  return [
    ...(clientSecretRef
      ? [{ field: `${at}.clientSecretRef`, kind: 'Secret', ...clientSecretRef } as const]
      : []),
    ...(privateKeyRef ? [{ field: `${at}.privateKeyRef`, kind: 'Secret', ...privateKeyRef } as const] : []),
    // The keys of a Secret of type kubernetes.io/tls.
    ...(name === undefined ? [] : ['tls.crt', 'tls.key']).map(
      (key) => ({ field: `${at}.certificateSecret`, kind: 'Secret', name: name as string, key }) as const,
    ),
    ...tlsReferences(tls),
  ];
}

function tlsReferences(tls: TlsSpec | undefined): readonly DataReference[] {
  const { caCertSecretRef: name, caCertSecretKey: key } = tls ?? {};
  return name === undefined || key === undefined
    ? []
    : [{ field: 'spec.tls.caCertSecretRef', kind: 'Secret', name, key }];
}

/** Those that are not there. */
export function missingData(
  object: ObjectKey,
  references: readonly DataReference[],
  lookUp: Pick<LookUp, 'data'>,
): readonly Problem[] {
  const { namespace } = object;
  return references.flatMap(({ field, kind, name, key }): readonly Problem[] => {
    const data = lookUp.data(kind, namespace, name);
    if (data === undefined) {
      const message = `there is no ${kind} ${namespace}/${name}: make it, or correct the name`;
      return [{ object, field, reason: 'NotFound', message }];
    }
    if (data.keys === undefined || data.keys.includes(key)) return [];
    const message = `the ${kind} ${namespace}/${name} has no key ${JSON.stringify(key)}: add it, or correct the name`;
    return [{ object, field, reason: 'KeyNotFound', message }];
  });
}
