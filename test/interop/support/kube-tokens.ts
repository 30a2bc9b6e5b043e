import type { Api } from './kube-client.ts';

/** A service account that exists, and what a token of it is for. */
export interface ServiceAccountToken {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Default: the API server. */
  readonly audiences?: readonly string[] | undefined;
  /** How long it is valid; the API server allows no less than 600 seconds. Default: 3600. */
  readonly seconds?: number | undefined;
}

const DEFAULT_SECONDS = 3_600;

/** A token of the TokenRequest API. @throws Error with the API server's words, where there is no such account */
export async function requestToken(
  api: Api,
  { namespace, serviceAccount, audiences, seconds = DEFAULT_SECONDS }: ServiceAccountToken,
): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
  const { status, body } = await api('POST', path, {
    body: { spec: { audiences, expirationSeconds: seconds } },
  });
  if (status !== 201) throw new Error(`no token of ${namespace}/${serviceAccount}: ${body.message ?? body}`);
  return body.status.token;
}

/** Lets anyone read the issuer's metadata and keys, as it does where a token service is to trust the cluster. */
export async function publishIssuer(api: Api): Promise<void> {
  const name = 'onbehalf-test-issuer-discovery';
  const { status, body } = await api('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    body: {
      metadata: { name },
      roleRef: {
        apiGroup: 'rbac.authorization.k8s.io',
        kind: 'ClusterRole',
        name: 'system:service-account-issuer-discovery',
      },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:unauthenticated' }],
    },
  });
  if (status !== 201) throw new Error(`the issuer cannot be published: ${body.message ?? body}`);
}
