/** Whether an answer says that the same request may succeed later (RFC 6585 section 4, RFC 9110 section 15.6). */
export const mayPass = (status: number): boolean => status >= 500 || status === 429;

/** The three forms of a date (RFC 9110 section 5.6.7), all in GMT; the last does not say so. */
const DATE =
  /^(?:[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT|[A-Z][a-z]{5,8}, [\w-]{9} [\d:]{8} GMT)$/;
const ASCTIME = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}$/;

/** `Retry-After` in milliseconds, from seconds or a date (RFC 9110 section 10.2.3). */
export function retryAfterMs(headers: Headers): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = DATE.test(value)
    ? Date.parse(value)
    : ASCTIME.test(value)
      ? Date.parse(`${value} GMT`)
      : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
