import { fieldPath } from '../../config/read-config.ts';
import type { ProblemReason } from '../compile/types.ts';
import type { GivenKey, ImportProblem, ImportWarning } from './types.ts';

type Path = readonly (string | number)[];

/** Collects what there is to say about one object. */
export interface Report {
  readonly object: GivenKey;
  readonly problems: ImportProblem[];
  readonly warnings: ImportWarning[];
  /** By path of a field here, the path of the field that it was made of. */
  readonly origins: Map<string, string>;
}

/** Where in an object the walk is. */
export interface Spot {
  /** Path in the object that was given. */
  readonly from: Path;
  /** Path in the object that is made. */
  readonly to: Path;
  readonly report: Report;
}

/** An empty report about an object. */
export function createReport(object: GivenKey): Report {
  return { object, problems: [], warnings: [], origins: new Map() };
}

/** The top of an object. */
export function spotAt(report: Report, path: Path): Spot {
  return { from: path, to: path, report };
}

/** Further in: at `from` of what was given, and at `to` of what is made. */
export function inner(spot: Spot, from: Path, to: Path = from): Spot {
  return { from: [...spot.from, ...from], to: [...spot.to, ...to], report: spot.report };
}

/** Says what is wrong at a spot. */
export function complain(spot: Spot, reason: ProblemReason, message: string): void {
  const { object, problems } = spot.report;
  problems.push({ object, field: fieldPath(spot.from), reason, message });
}

/** Says what has no effect at a spot. */
export function warn(spot: Spot, message: string): void {
  const { object, warnings } = spot.report;
  warnings.push({ object, field: fieldPath(spot.from), message });
}

/** Keeps where a field was made of, for {@link originOf}. */
export function remember(spot: Spot): void {
  spot.report.origins.set(fieldPath(spot.to), fieldPath(spot.from));
}

/** What is wrong first, by path: a text that is empty breaks its pattern too. */
export function firstByPath(
  problems: readonly { readonly path: string; readonly message: string }[],
): ReadonlyMap<string, string> {
  return new Map(problems.toReversed().map(({ path, message }) => [path, message]));
}

/** The path in the object that was given, of a path in the object that was made. */
export function originOf(report: Report, path: readonly PropertyKey[]): string {
  for (let length = path.length; length > 0; length -= 1) {
    const origin = report.origins.get(fieldPath(path.slice(0, length)));
    const rest = fieldPath(['x', ...path.slice(length)]).slice(1);
    if (origin !== undefined) return `${origin}${rest}`;
  }
  return fieldPath(path);
}
