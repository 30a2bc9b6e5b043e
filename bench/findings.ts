// What a bench has found, line by line, for people.

/** One line of the report. */
export interface Finding {
  readonly what: string;
  readonly ours: string;
  /** A peer, or what it is held against, measured in the same run. */
  readonly peer: string;
  readonly budget: string;
  /** `undefined`: there is no budget, or it could not be measured. */
  readonly met: boolean | undefined;
}

export const us = (value: number): string => `${value.toFixed(2)} us`;
export const ms = (value: number): string => `${value.toFixed(1)} ms`;
export const times = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)}x`;

/** The report for people. */
export function printFindings(findings: readonly Finding[], print: (line: string) => void): void {
  for (const { what, ours, peer, budget, met } of findings) {
    const verdict = met === undefined ? '       ' : met ? 'met    ' : 'NOT MET';
    print(`${verdict}  ${what}: ${ours}${budget === '' ? '' : `   (budget ${budget})`}`);
    if (peer !== '') print(`         against: ${peer}`);
  }
}
