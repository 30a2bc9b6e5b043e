import type * as z from 'zod';
import { type RuntimeConfig, runtimeConfig } from './runtime-config.ts';

/** What is wrong with a value, and where. */
export interface ConfigProblem {
  /** Where in the file, e.g. `http_tools[0].params.url`; empty: the whole. */
  readonly path: string;
  readonly message: string;
}

/** A config, or what is wrong with it. */
export type ConfigReading =
  | { readonly config: RuntimeConfig; readonly problems?: undefined }
  | { readonly config?: undefined; readonly problems: readonly ConfigProblem[] };

/**
 * Checks a parsed `config.json`. No problem repeats a value: it may be a secret.
 *
 * @param value - as `JSON.parse` gives it
 */
export function readRuntimeConfig(value: unknown): ConfigReading {
  const result = runtimeConfig.safeParse(value, { reportInput: false });
  return result.success ? { config: result.data } : { problems: problemsOf(result.error) };
}

/** The issues of a schema, each with the path of its field. */
export function problemsOf(error: z.ZodError): readonly ConfigProblem[] {
  return error.issues.map(({ path, message }) => ({ path: fieldPath(path), message }));
}

/** `['a', 0, 'b']` as `a[0].b`. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((sum, step) => {
    if (typeof step === 'number') return `${sum}[${step}]`;
    const name = String(step);
    const plain = /^[A-Za-z_][\w-]*$/.test(name);
    if (!plain) return `${sum}[${JSON.stringify(name)}]`;
    return sum === '' ? name : `${sum}.${name}`;
  }, '');
}
