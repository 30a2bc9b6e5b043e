/** One attempt at the token exchange grant: claims only, never a token. */
export interface ExchangeRecord {
  /** When the answer was ready, ISO 8601. */
  readonly at: string;
  /** The client that the request named, whether or not it could authenticate. */
  readonly clientId?: string;
  /** `sub` of the subject token, once it has been verified. */
  readonly sub?: string;
  /** `sub` of the actor token, once it has been verified. */
  readonly act?: string;
  /** The `audience` parameters as sent. */
  readonly audience: readonly string[];
  /** The `resource` parameters as sent. */
  readonly resource: readonly string[];
  /** The `scope` parameter as sent. */
  readonly scope?: string;
  /** `issued`, an OAuth error code, or `fault` when an injected fault answered in place of the server. */
  readonly outcome: string;
  /** HTTP status of the answer; 0 when the connection was destroyed without one. */
  readonly status: number;
  /** The kind of the injected fault that this request took. */
  readonly fault?: string;
}

/** The bounded log of exchange attempts. */
export interface ExchangeLog {
  readonly records: readonly ExchangeRecord[];
  add(record: ExchangeRecord): void;
}

const LIMIT = 1000;
const LONGEST = 300;

/** Keeps the last 1000 records and passes each on to `onExchange`. */
export function createExchangeLog(onExchange?: (record: ExchangeRecord) => void): ExchangeLog {
  const records: ExchangeRecord[] = [];
  const add = (record: ExchangeRecord): void => {
    records.push(Object.freeze(record));
    if (records.length > LIMIT) records.shift();
    onExchange?.(record);
  };
  return { records, add };
}

/**
 * A request value as it may be logged or quoted in an error: bounded, within the characters that RFC 6749
 * section 5.2 allows in `error_description`, and blanked when somebody put a JWT into the wrong parameter.
 */
export function showable(value: string): string {
  if (/eyJ[\w-]{8,}/.test(value)) return '[redacted]';
  return value.slice(0, LONGEST).replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
