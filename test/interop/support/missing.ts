/** Whether a server that cannot be had is a failure: in CI it is. */
const serversRequired = (): boolean => process.env.ONBEHALF_INTEROP === 'required';

/**
 * Says that a suite's server cannot be had. The suite is then skipped, its global setup providing no server;
 * with `ONBEHALF_INTEROP=required` it fails.
 *
 * @throws Error where the server is required
 */
export function serverMissing(server: string, why: string): void {
  const text = `${server} cannot be had: ${why}`;
  if (serversRequired()) throw new Error(`${text} (and ONBEHALF_INTEROP=required)`);
  console.error(`skipped: ${text}`);
}
