const FORM = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:([eE][+-]?\d{1,4})|([numkMGTPE]|[KMGTPE]i)?)$/;
const DECIMAL: Readonly<Record<string, number>> = {
  ...{ n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 },
};
const BINARY: Readonly<Record<string, bigint>> = {
  ...{ Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n },
};
/** The API server rounds amounts of resources up to thousandths. */
const MILLI = 3;
/** What the API server makes of anything larger. */
const LARGEST = (2n ** 63n - 1n) * 10n ** BigInt(MILLI);

/**
 * Whether two quantities are the same amount of a resource (`resource.Quantity`): the API server writes `0.5` as `500m`.
 * What is no quantity is equal to itself only.
 */
export function sameQuantity(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  const first = millis(one);
  return first !== undefined && first === millis(other);
}

function millis(value: unknown): bigint | undefined {
  const [, sign, number = '', exponent, suffix = ''] = FORM.exec(String(value)) ?? [];
  if (sign === undefined) return undefined;
  const [whole = '', fraction = ''] = number.split('.');
  const scale = MILLI + (exponent === undefined ? (DECIMAL[suffix] ?? 0) : Number(exponent.slice(1)));
  const digits = BigInt(`${whole}${fraction}` || '0') << (BINARY[suffix] ?? 0n);
  const amount = shifted(digits, scale - fraction.length);
  const bounded = amount > LARGEST ? LARGEST : amount;
  return sign === '-' ? -bounded : bounded;
}

/** Times a power of ten, rounded up. */
function shifted(digits: bigint, by: number): bigint {
  if (by >= 0) return digits * 10n ** BigInt(by);
  const divisor = 10n ** BigInt(-by);
  return (digits + divisor - 1n) / divisor;
}
