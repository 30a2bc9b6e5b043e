import { X509Certificate } from 'node:crypto';
import * as tls from 'node:tls';
import type { FetchLike } from '../core/http.ts';
import { connectHttps, createHttpsFetch, type HttpsConnection } from '../core/https-fetch.ts';
import { authUnavailable, type SecretSource } from '../core/secret.ts';
import { readTextFile } from '../core/text-file.ts';

/** Whose certificates are trusted; fields of the config. */
export interface TlsSettings {
  /** PEM file of CAs that are trusted beside those of the system; read again when it changes. */
  readonly tls_ca_cert_path?: string | undefined;
  /** Trusts only the CAs of that file. Default: false. */
  readonly tls_disable_system_cas?: boolean | undefined;
  /** Takes any certificate, so that whoever is in the way can read and change everything. Default: false. */
  readonly tls_insecure_skip_verify?: boolean | undefined;
}

/**
 * The `fetch` for these settings: the global one where nothing is set, else one over `node:https` that follows no redirect.
 * The CA file is read for each request, so that a CA that was rotated is trusted without a restart. Plain http URLs go by
 * the global `fetch`.
 *
 * @param path - of the settings in the config, for errors
 * @throws TypeError where `tls_disable_system_cas` leaves nobody to trust; the function throws OnbehalfError
 * `client_auth_unavailable` when the CA file cannot be used, and else as `fetch` does
 */
export function fetchFor(settings: TlsSettings, path: string): FetchLike {
  const { tls_ca_cert_path: file, tls_disable_system_cas: onlyFile = false } = settings;
  const trustsAnyone = settings.tls_insecure_skip_verify === true;
  if (onlyFile && file === undefined && !trustsAnyone) {
    throw new TypeError(
      `${path}.tls_disable_system_cas: leaves nobody to trust: add tls_ca_cert_path, or leave it out`,
    );
  }
  // Read where it is called, so that a global fetch that is replaced later counts.
  const plain: FetchLike = (url, init) => fetch(url, init);
  // Without verification there is nothing that a CA could be for.
  const connect = trustsAnyone ? anyPeer() : file && peersBy({ file, onlyFile, what: path });
  if (!connect) return plain;
  const secure = createHttpsFetch(connect);
  return (url, init) => (new URL(url).protocol === 'https:' ? secure : plain)(url, init);
}

/** Whether anything is set, so that another `fetch` than the global one is needed. */
export function hasTls(settings: TlsSettings): boolean {
  return (
    settings.tls_ca_cert_path !== undefined ||
    settings.tls_disable_system_cas === true ||
    settings.tls_insecure_skip_verify === true
  );
}

/** The CAs that are trusted, as PEM, read anew each time; `undefined` where those of the system are, and no others. */
export function casOf(settings: TlsSettings, path: string): SecretSource | undefined {
  const { tls_ca_cert_path: file, tls_disable_system_cas: onlyFile = false } = settings;
  if (file === undefined) return undefined;
  if (onlyFile) return { file };
  return async () => [...systemCas(), await readCas(file, `${path}.tls_ca_cert_path`)].join('\n');
}

/** What is to be said, loud, at each start; `undefined` where certificates are verified. */
export function tlsWarning(settings: TlsSettings, path: string): string | undefined {
  if (settings.tls_insecure_skip_verify !== true) return undefined;
  return `${path}.tls_insecure_skip_verify: certificates are NOT verified: whoever is in the way can read and change all that is sent, tokens of users included`;
}

function anyPeer(): () => Promise<HttpsConnection> {
  let connection: Promise<HttpsConnection> | undefined;
  return () => {
    connection ??= connectHttps({ rejectUnauthorized: false });
    return connection;
  };
}

function peersBy(by: {
  readonly file: string;
  readonly onlyFile: boolean;
  readonly what: string;
}): () => Promise<HttpsConnection> {
  let trusted: string | undefined;
  let connection: Promise<HttpsConnection> | undefined;
  return async () => {
    const pem = await readCas(by.file, `${by.what}.tls_ca_cert_path`);
    if (pem !== trusted) {
      trusted = pem;
      const ca = by.onlyFile ? [pem] : [...systemCas(), pem];
      // Made once: more than a hundred certificates would else be parsed for each connection.
      connection = connectHttps({ secureContext: tls.createSecureContext({ ca }) });
    }
    return connection as Promise<HttpsConnection>;
  };
}

/** Node's own, with those of NODE_EXTRA_CA_CERTS where this version of Node tells them. */
function systemCas(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => string[] };
  return getCACertificates?.('default') ?? tls.rootCertificates;
}

async function readCas(file: string, what: string): Promise<string> {
  const read = await readTextFile(file);
  if ('problem' in read) throw authUnavailable(`"${what}": ${read.problem}`, read.failure);
  const blocks = read.text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const begun = read.text.split('-----BEGIN CERTIFICATE-----').length - 1;
  // Node passes over what it cannot parse, and then trusts fewer than were meant.
  if (begun > 0 && begun === blocks.length && blocks.every(isCertificate)) return blocks.join('\n');
  throw authUnavailable(`"${what}": ${file} must hold certificates as PEM`, 'misconfigured');
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem) instanceof X509Certificate;
  } catch {
    return false;
  }
}
