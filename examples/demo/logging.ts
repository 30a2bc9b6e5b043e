// ADK logs to stdout by default, which belongs to the demo's own output; here its log goes to stderr.
import { format } from 'node:util';
import { type Logger, LogLevel, setLogger } from '@google/adk';

/** Sends ADK's log messages of this level and above to stderr. */
export function logToStderr(level: LogLevel): void {
  let lowest = level;
  const write = (at: LogLevel, args: unknown[]): void => {
    if (at >= lowest) process.stderr.write(`[adk ${LogLevel[at]?.toLowerCase()}] ${format(...args)}\n`);
  };
  const logger: Logger = {
    log: (at, ...args) => write(at, args),
    debug: (...args) => write(LogLevel.DEBUG, args),
    info: (...args) => write(LogLevel.INFO, args),
    warn: (...args) => write(LogLevel.WARN, args),
    error: (...args) => write(LogLevel.ERROR, args),
    setLogLevel: (next) => {
      lowest = next;
    },
  };
  setLogger(logger);
}
