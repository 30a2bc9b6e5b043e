import type { TlsSpec } from '../api/references.ts';
import type { Context } from './context.ts';
import { mounted } from './mounted.ts';
import { type At, below } from './report.ts';

/** How a certificate is verified, as the config says it for servers, models and token services. */
export interface TlsConfig {
  readonly tls_insecure_skip_verify?: true;
  readonly tls_ca_cert_path?: string;
  readonly tls_disable_system_cas?: true;
}

/** Mounts the CA, if there is one. */
export function compileTls(context: Context, tls: TlsSpec | undefined, at: At): TlsConfig {
  const { disableVerify, caCertSecretRef: name, caCertSecretKey: key, disableSystemCAs } = tls ?? {};
  const wayOut = `make a ${at.object.kind} with this CA in namespace ${context.namespace}`;
  const path =
    name === undefined || key === undefined
      ? undefined
      : mounted(
          context,
          {
            ...{ kind: 'Secret', name, key },
            nameAt: below(at, 'caCertSecretRef'),
            keyAt: below(at, 'caCertSecretKey'),
          },
          wayOut,
        );
  return {
    ...(disableVerify ? { tls_insecure_skip_verify: true } : {}),
    ...(path === undefined ? {} : { tls_ca_cert_path: path }),
    ...(disableSystemCAs ? { tls_disable_system_cas: true } : {}),
  };
}
