import type { ObjectKey, Problem, ProblemReason } from './types.ts';

/** A field of an object: where a reference stands, and so where a problem with it is told. */
export interface At {
  readonly object: ObjectKey;
  readonly field: string;
}

/** Collects problems: to find all of them, what finds one goes on. */
export interface Report {
  (at: At, reason: ProblemReason, message: string): void;
  /** Those of another object. */
  readonly add: (problems: readonly Problem[]) => void;
  /** What has been reported, each once, in order. */
  readonly problems: () => readonly Problem[];
}

/** A field below another: `member`, or an index in brackets. */
export function below({ object, field }: At, member: string | number): At {
  return { object, field: typeof member === 'number' ? `${field}[${member}]` : `${field}.${member}` };
}

/** Starts with no problem. */
export function createReport(): Report {
  const found = new Map<string, Problem>();
  const add: Report['add'] = (problems) => {
    for (const problem of problems) found.set(JSON.stringify(problem), problem);
  };
  const report = ({ object, field }: At, reason: ProblemReason, message: string): void => {
    add([{ object, field, reason, message }]);
  };
  return Object.assign(report, { add, problems: () => [...found.values()] });
}
