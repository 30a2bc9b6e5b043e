import type { IncomingHttpHeaders } from 'node:http';
import { holdsSecret } from '../../core/redact.ts';
import { retryAfterMs } from '../../core/retry-after.ts';
import { KubeError } from './kube-error.ts';

/** What is asked for, and what must not be repeated. */
export interface Asked {
  /** For a message: `apply agents.onbehalf.dev demo/helper`. */
  readonly what: string;
  /** Credentials that were sent, which no message may hold. */
  readonly secrets: readonly string[];
  /** Whether the object that was sent is a Secret. */
  readonly isSecret: boolean;
}

/** What is used of `metav1.Status`. */
interface Status {
  readonly code?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly details?: {
    readonly name?: unknown;
    readonly retryAfterSeconds?: unknown;
    readonly causes?: readonly { readonly field?: unknown; readonly reason?: unknown }[] | null;
  } | null;
}

const LONGEST = 500;
const TERMINATING = 'NamespaceTerminating';
/** Reasons by status, for answers that come from something in front of the API server. */
const REASONS: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  409: 'Conflict',
  413: 'RequestEntityTooLarge',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/**
 * Makes an error of an answer that is none of success, or of an event ERROR of a watch.
 *
 * @param said - the body: a Status, or whatever a proxy answers with
 */
export function statusError(
  said: unknown,
  { code, headers = {} }: { readonly code: number; readonly headers?: IncomingHttpHeaders },
  asked: Asked,
): KubeError {
  const status: Status = typeof said === 'object' && said !== null ? said : {};
  const reason = reasonOf(status, code);
  const text = textOf(status, asked);
  const retryAfter = retryAfterMs(new Headers({ 'retry-after': headers['retry-after'] ?? '' }));
  const seconds = status.details?.retryAfterSeconds;
  return new KubeError(`cannot ${asked.what}: ${reason} (${code})${text === '' ? '' : `: ${text}`}`, {
    code,
    reason,
    retryAfterMs: retryAfter ?? (typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined),
  });
}

function reasonOf({ reason, details }: Status, code: number): string {
  // A cluster that was restored from a backup is behind what was seen of it.
  const isAhead = causesOf(details).some((cause) => cause?.reason === 'ResourceVersionTooLarge');
  if (code === 410 || isAhead) return 'Expired';
  // In words too, but of a Secret no words are repeated.
  if (causesOf(details).some((cause) => cause?.reason === TERMINATING)) return TERMINATING;
  if (code === 404 && typeof details?.name !== 'string') return 'UnknownResource';
  if (typeof reason === 'string' && /^[A-Za-z]{1,64}$/.test(reason)) return reason;
  return REASONS[code] ?? 'Unknown';
}

const causesOf = (details: Status['details']): NonNullable<NonNullable<Status['details']>['causes']> =>
  Array.isArray(details?.causes) ? details.causes : [];

/** What is said of a Secret that holds nothing of it; validation and webhooks repeat values. */
const ABOUT_SECRETS = /^secrets (?:"[^"]*" )?(?:is forbidden: User "|not found$|already exists$)/;

/** The API server's own words; of a Secret that it does not like, only the fields. */
function textOf({ message, details }: Status, { secrets, isSecret }: Asked): string {
  const fields = causesOf(details).map((cause) => (typeof cause?.field === 'string' ? cause.field : ''));
  const said = typeof message === 'string' ? message : '';
  const text = isSecret && !ABOUT_SECRETS.test(said) ? fields.join(', ') : said;
  const line = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();
  if (holdsSecret(line, secrets)) return '';
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}...` : line;
}
