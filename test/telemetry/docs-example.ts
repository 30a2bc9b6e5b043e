import type { Broker, TokenService } from 'onbehalf';
// #region docs
import { createBroker } from 'onbehalf';
import { createTelemetry, ndjsonFileSink } from 'onbehalf/telemetry';

// #endregion

/** What docs/telemetry.md shows, to be compiled and run. */
export async function startObserved(
  tokenService: TokenService,
  auditPath: string,
): Promise<{ readonly broker: Broker; close(): Promise<void> }> {
  // #region docs
  // Once for the process, after the OpenTelemetry SDK has been set up.
  const audit = await ndjsonFileSink(auditPath);
  const telemetry = await createTelemetry({ audit });
  const broker = createBroker({ tokenService, observer: telemetry.observer });
  telemetry.watch(broker);
  // #endregion
  return {
    broker,
    async close() {
      broker.close();
      await audit.close();
    },
  };
}
