import type { ClientCertificate, ClientCertificateSource } from './client-certificate.ts';
import { OnbehalfError } from './errors.ts';
import type { FetchLike } from './http.ts';
import { connectHttps, createHttpsFetch, type HttpsConnection } from './https-fetch.ts';

/**
 * Makes a `fetch` that shows a client certificate (RFC 8705), which the global one cannot. It follows no redirect and
 * decodes no content coding. A certificate that was replaced is shown from the next request on, in a new connection.
 *
 * @returns a function that throws OnbehalfError `insecure_url` for plain http, `client_auth_unavailable`, errors with a
 * system or TLS `code`, or the reason of the request's signal
 */
export function createMtlsFetch(source: ClientCertificateSource): FetchLike {
  let shown: ClientCertificate | undefined;
  let connection: Promise<HttpsConnection> | undefined;
  return createHttpsFetch(async (url, signal) => {
    assertHttps(url);
    const certificate = await source(signal);
    if (certificate !== shown) {
      shown = certificate;
      const { cert, key, ca } = certificate;
      connection = connectHttps({ cert, key, ...(ca && { ca }) });
    }
    return connection as Promise<HttpsConnection>;
  });
}

function assertHttps(url: string): void {
  const { origin, protocol } = new URL(url);
  if (protocol === 'https:') return;
  throw new OnbehalfError(
    'insecure_url',
    `a client certificate cannot be shown to ${origin}: "clientAuth" by TLS needs https`,
    { failure: 'misconfigured' },
  );
}
