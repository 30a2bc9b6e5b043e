/** One check of the conformance runner, as far as we read it. */
export interface Check {
  readonly id: string;
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO' | 'SKIPPED';
  readonly description?: string | undefined;
  readonly errorMessage?: string | undefined;
}

/** What a run of a scenario must show. */
export interface Expected {
  /** Ids of the checks that succeed: these, and no others. */
  readonly passes: readonly string[];
  /** Ids of the checks that fail because the client was given what must be refused. Default: none. */
  readonly fails?: readonly string[] | undefined;
}

/**
 * Says what is wrong with a run. A scenario that checked nothing, or something else than the manifest says, has not
 * passed: what it proved is not what is claimed.
 */
export function judge({ passes, fails = [] }: Expected, checks: readonly Check[]): string[] {
  const idsOf = (...statuses: readonly Check['status'][]): Set<string> =>
    new Set(checks.filter(({ status }) => statuses.includes(status)).map(({ id }) => id));
  const succeeded = idsOf('SUCCESS');
  const failed = idsOf('FAILURE');
  return [
    ...(passes.length + fails.length === 0 ? ['the manifest names no check'] : []),
    ...(checks.length === 0 ? ['the runner checked nothing'] : []),
    ...passes.filter((id) => !succeeded.has(id)).map((id) => `${id} did not succeed`),
    ...fails.filter((id) => !failed.has(id)).map((id) => `${id} did not fail`),
    ...[...succeeded].filter((id) => !passes.includes(id)).map((id) => `${id} succeeded, but is not claimed`),
    ...checks.filter((check) => isFault(check, fails)).map(faultOf),
  ];
}

const isFault = ({ id, status }: Check, fails: readonly string[]): boolean =>
  status === 'WARNING' || (status === 'FAILURE' && !fails.includes(id));

const faultOf = ({ id, status, description, errorMessage }: Check): string =>
  `${id}: ${status}: ${errorMessage ?? description ?? 'no reason given'}`;
