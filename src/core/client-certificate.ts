import { createPrivateKey, X509Certificate } from 'node:crypto';
import { assertSecretSource, authUnavailable, readSecret, type SecretSource } from './secret.ts';

/** Where a client certificate comes from; see `ClientAuth`. */
export interface CertificateSources {
  readonly certificate: SecretSource;
  readonly privateKey: SecretSource;
  readonly ca?: SecretSource | undefined;
}

/** A client certificate with its key, as they are now, in PEM. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
}

/** Gives the client certificate as it is now. */
export type ClientCertificateSource = (signal?: AbortSignal) => Promise<ClientCertificate>;

/** How often a certificate and a key that do not match are read again. */
const ATTEMPTS = 3;

/**
 * Reads certificate and key anew each time, and gives only what belongs together.
 *
 * @throws TypeError that names the option when they, as far as they are known by now, cannot be used
 */
export function clientCertificateSource(sources: CertificateSources): ClientCertificateSource {
  const { certificate, privateKey, ca } = sources;
  assertSecretSource(certificate, 'clientAuth.certificate');
  assertSecretSource(privateKey, 'clientAuth.privateKey');
  if (ca !== undefined) assertSecretSource(ca, 'clientAuth.ca');
  const found = problemOf({ cert: fixed(certificate), key: fixed(privateKey), ca: fixed(ca) });
  if (found !== undefined) throw new TypeError(found);
  let last: ClientCertificate | undefined;

  const read = async (signal: AbortSignal | undefined): Promise<ClientCertificate> => ({
    cert: await readSecret(certificate, 'clientAuth.certificate', signal),
    key: await readSecret(privateKey, 'clientAuth.privateKey', signal),
    ca: ca === undefined ? undefined : await readSecret(ca, 'clientAuth.ca', signal),
  });

  return async (signal) => {
    let problem: string | undefined;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const now = await read(signal);
      if (last?.cert === now.cert && last.key === now.key && last.ca === now.ca) return last;
      problem = problemOf(now);
      if (problem === undefined) {
        last = now;
        return now;
      }
      // They may have been replaced between the reading of the one and the other.
    }
    throw authUnavailable(problem as string);
  };
}

const fixed = (source: SecretSource | undefined): string | undefined =>
  typeof source === 'string' ? source : undefined;

/** @returns what is wrong, of what is known; nothing of its text */
function problemOf({
  cert,
  key,
  ca,
}: { readonly [K in keyof ClientCertificate]: string | undefined }): string | undefined {
  const certificate = cert === undefined ? undefined : parsed(() => new X509Certificate(cert));
  if (certificate === null) return '"clientAuth.certificate" must be a certificate as PEM';
  const privateKey = key === undefined ? undefined : parsed(() => createPrivateKey(key));
  if (privateKey === null) return '"clientAuth.privateKey" must be a private key as PEM without a passphrase';
  if (certificate && privateKey && !certificate.checkPrivateKey(privateKey)) {
    return '"clientAuth.privateKey" is not the key of "clientAuth.certificate"';
  }
  if (ca !== undefined && parsed(() => new X509Certificate(ca)) === null) {
    return '"clientAuth.ca" must be certificates as PEM';
  }
  return undefined;
}

function parsed<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch {
    return null;
  }
}
