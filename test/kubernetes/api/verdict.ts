import { KINDS, type Kind } from '../../../src/kubernetes/api/kinds.ts';

/** One thing that is wrong with an object. */
export interface Finding {
  /** Where, as the API server says it: `spec.tools[0].name`. */
  readonly field: string;
  readonly message: string;
  /** Whether a rule says so, and not the form of the field. */
  readonly byRule: boolean;
}

/** What is wrong with a spec, and if nothing is, what it comes to with its defaults. */
export interface Verdict {
  readonly findings: readonly Finding[];
  readonly spec?: unknown;
}

/** The verdict of the Zod schema. */
export function verdictOf(kind: Kind, spec: unknown): Verdict {
  const { success, data, error } = KINDS[kind].spec.safeParse(spec);
  if (success) return { findings: [], spec: data };
  return {
    findings: error.issues.flatMap((issue) => {
      const { path, message } = issue;
      const field = fieldOf(path);
      if (issue.code !== 'unrecognized_keys') return [{ field, message, byRule: issue.code === 'custom' }];
      return issue.keys.map((key) => ({ field: `${field}.${key}`, message, byRule: false }));
    }),
  };
}

/** A path as the API server writes it. */
export function fieldOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((sum, step) => {
    return typeof step === 'number' ? `${sum}[${step}]` : `${sum}.${String(step)}`;
  }, 'spec');
}
