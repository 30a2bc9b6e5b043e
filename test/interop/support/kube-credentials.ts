import { generateKeyPairSync } from 'node:crypto';
import { generate } from 'selfsigned';

/** A certificate and its private key, as PEM. */
export interface Credential {
  readonly cert: string;
  readonly key: string;
}

/** What a control plane proves itself and its administrator with. Everything is made for one run. */
export interface Credentials {
  /** The authority that both certificates are from. */
  readonly caPem: string;
  /** For a server on 127.0.0.1. */
  readonly server: Credential;
  /** For a user of the group that may do everything. */
  readonly admin: Credential;
  /** PEM of the RSA key that service account tokens are signed with. */
  readonly tokenKey: string;
}

const EC = { keyType: 'ec', algorithm: 'sha256' } as const;
const RSA_BITS = 2048;
/** Its members are beyond RBAC. */
const ADMIN_GROUP = 'system:masters';

export async function createCredentials(): Promise<Credentials> {
  const root = await generate([{ name: 'commonName', value: 'Onbehalf test cluster' }], {
    ...EC,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const ca = { key: root.private, cert: root.cert };
  const issue = async (commonName: string, groups: readonly string[]): Promise<Credential> => {
    const server = groups.length === 0;
    const subject = [
      { name: 'commonName', value: commonName },
      ...groups.map((value) => ({ name: 'organizationName', value })),
    ];
    const { cert, private: key } = await generate(subject, {
      ...EC,
      ca,
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'keyUsage', digitalSignature: true, critical: true },
        { name: 'extKeyUsage', serverAuth: server, clientAuth: !server },
        { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
      ],
    });
    return { cert, key };
  };
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: RSA_BITS });
  return {
    caPem: root.cert,
    server: await issue('kube-apiserver', []),
    admin: await issue('onbehalf-test-admin', [ADMIN_GROUP]),
    tokenKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
