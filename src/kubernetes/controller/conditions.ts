import type { Condition } from '../api/meta.ts';
import type { Problem } from '../compile/types.ts';

/** The conditions that every kind has. */
export type ConditionType = 'Accepted' | 'ResolvedRefs' | 'Ready';

/** What is so, without when it became so. */
export interface Finding {
  readonly status: Condition['status'];
  /** One word for programs. */
  readonly reason: string;
  /** What is so, and what to do, for a person. Never holds a secret. */
  readonly message: string;
}

/** What was found out about an object. */
export type Findings = Readonly<Record<ConditionType, Finding>>;

/** What conditions are made from beside the findings. */
export interface ConditionContext {
  /** `metadata.generation` that was looked at. */
  readonly generation: number | undefined;
  /** The conditions that are there. */
  readonly before: readonly Condition[] | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** What the API server takes, less room for the dots. */
const LONGEST_MESSAGE = 4_000;
const MOST_PROBLEMS = 10;

/** Conditions of findings; one whose status stays as it was keeps its time. */
export function conditionsOf(
  findings: Findings,
  { generation, before = [], now }: ConditionContext,
): readonly Condition[] {
  return Object.entries(findings).map(([type, { status, reason, message }]) => {
    const old = before.find((one) => one.type === type);
    const time = old?.status === status ? old.lastTransitionTime : secondsOf(now);
    return {
      type,
      status,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      lastTransitionTime: time,
      reason,
      message: shortened(message),
    };
  });
}

/** RFC 3339 in whole seconds, as `metav1.Time`. */
function secondsOf(now: number): string {
  return new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** A text that fits into a condition. */
export function shortened(text: string): string {
  return text.length > LONGEST_MESSAGE ? `${text.slice(0, LONGEST_MESSAGE)}...` : text;
}

/** Reasons that are about the object itself, rather than what it refers to. */
const OF_ITSELF: ReadonlySet<Problem['reason']> = new Set([
  'Invalid',
  'Unsupported',
  'UnknownApproval',
  'AgentCycle',
]);

const ACCEPTED: Finding = { status: 'True', reason: 'Accepted', message: 'The spec is valid.' };
const RESOLVED: Finding = {
  status: 'True',
  reason: 'ResolvedRefs',
  message: 'All that the spec refers to is there.',
};

/**
 * What problems mean for `Accepted` and `ResolvedRefs`.
 *
 * @param self - name of the object and its namespace, to tell what is its own
 */
export function findingsOfProblems(
  problems: readonly Problem[],
  self: { readonly kind: string; readonly namespace: string; readonly name: string },
): Pick<Findings, 'Accepted' | 'ResolvedRefs'> {
  const isOwn = ({ object, reason }: Problem): boolean =>
    OF_ITSELF.has(reason) &&
    object.kind === self.kind &&
    object.namespace === self.namespace &&
    object.name === self.name;
  const own = problems.filter(isOwn);
  const others = problems.filter((problem) => !isOwn(problem));
  const unknown: Finding = {
    status: 'Unknown',
    reason: 'NotAccepted',
    message: 'The spec has to be valid first: see the condition Accepted.',
  };
  return {
    Accepted: problemFinding(own) ?? ACCEPTED,
    ResolvedRefs: problemFinding(others) ?? (own.length > 0 ? unknown : RESOLVED),
  };
}

function problemFinding(problems: readonly Problem[]): Finding | undefined {
  const [first] = problems;
  if (first === undefined) return undefined;
  const shown = problems.slice(0, MOST_PROBLEMS).map(problemText);
  const more = problems.length - shown.length;
  const lines = more > 0 ? [...shown, `and ${more} more`] : shown;
  return { status: 'False', reason: first.reason, message: lines.join('\n') };
}

/** `Agent team/helper, spec.tools[0]: ...` */
function problemText({ object: { kind, namespace, name }, field, message }: Problem): string {
  const place = namespace === '' ? name : `${namespace}/${name}`;
  return `${kind} ${place}${field === '' ? '' : `, ${field}`}: ${message}`;
}

/** `Ready` of an object that cannot be, because of the other two. */
export function notReadyBecause({ Accepted, ResolvedRefs }: Omit<Findings, 'Ready'>): Finding | undefined {
  if (Accepted.status !== 'True') {
    return { status: 'False', reason: 'NotAccepted', message: 'See the condition Accepted.' };
  }
  if (ResolvedRefs.status !== 'True') {
    return { status: 'False', reason: 'UnresolvedRefs', message: 'See the condition ResolvedRefs.' };
  }
  return undefined;
}
