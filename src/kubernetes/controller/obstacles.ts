import { isKubeError } from '../client/kube-error.ts';
import { type Finding, shortened } from './conditions.ts';

/** Reasons of the API server that say nothing of the object: the request did not get through, this time. */
const PASSING: ReadonlySet<string> = new Set([
  ...['Conflict', 'Expired', 'Malformed', 'ServerTimeout', 'ServiceUnavailable', 'TimedOut', 'Timeout'],
  ...['TooLarge', 'TooManyRequests', 'Unauthorized', 'Unreachable'],
]);

/**
 * What a write that failed says to the owner of the object.
 *
 * @returns `undefined` when it says nothing about it, and is only to be tried again
 */
export function obstacleOfError(error: unknown): Finding | undefined {
  if (!isKubeError(error) || PASSING.has(error.reason) || isTerminating(error)) return undefined;
  const said = shortened(error.message);
  if (error.reason === 'Forbidden') {
    const hint = 'The controller tries again. Give its service account the role of deploy/rbac.';
    return { status: 'False', reason: 'Forbidden', message: `${said}\n${hint}` };
  }
  if (isRefused(error.code)) {
    return { status: 'False', reason: 'Rejected', message: `The API server does not take it: ${said}` };
  }
  return { status: 'False', reason: 'WriteFailed', message: `${said}\nThe controller tries again.` };
}

/** Whether nothing can be made any more, because the whole namespace goes away. */
export function isTerminating(error: unknown): boolean {
  return isKubeError(error, 'NamespaceTerminating');
}

/** Whether the same write would fail again: 400 and 422 are about its content. */
export function isRefused(code: number): boolean {
  return code === 400 || code === 422;
}
