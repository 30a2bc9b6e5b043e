/** Half a surrogate pair cannot be sent, nor told from another half in a key. */
export const isText = (value: unknown): value is string =>
  typeof value === 'string' && !/\p{Surrogate}/u.test(value);

/** What a value must be; `any` is checked elsewhere. */
type Form = 'any' | 'boolean' | 'function' | 'natural' | 'object' | 'positive' | 'string' | 'text';

/** What an option must be. A `?` at the end: it may be left out. A list: one of these strings, or left out. */
export type OptionForm = Form | `${Form}?` | readonly string[];

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
/** What a timer takes, in milliseconds: with more it fires at once. No count needs more either. */
const MOST = 2 ** 31 - 1;
const atLeast = (value: unknown, least: number): boolean =>
  typeof value === 'number' && value >= least && value <= MOST;

const FORMS: Readonly<Record<Form, { readonly test: (value: unknown) => boolean; readonly name: string }>> = {
  any: { test: () => true, name: 'given' },
  boolean: { test: (value) => typeof value === 'boolean', name: 'true or false' },
  function: { test: (value) => typeof value === 'function', name: 'a function' },
  natural: { test: (value) => atLeast(value, 0), name: `zero or a positive number up to ${MOST}` },
  object: { test: isObject, name: 'an object' },
  positive: { test: (value) => atLeast(value, 1), name: `a positive number up to ${MOST}` },
  string: { test: isText, name: 'a string' },
  text: { test: (value) => isText(value) && value !== '', name: 'a non-empty string' },
};

/**
 * Checks options once, where they are taken, so that a slip is told at start-up and not at the first call: an option
 * that is missing, is not of its form, or is none (a misspelt one would be ignored).
 *
 * @param owner - what takes them, for the message
 * @throws TypeError that names the option
 */
export function checkOptions(
  options: unknown,
  owner: string,
  forms: Readonly<Record<string, OptionForm>>,
): void {
  if (!isObject(options)) throw new TypeError(`${owner} needs options: ${Object.keys(forms).join(', ')}`);
  const given = options as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(forms, name)) continue;
    throw new TypeError(`"${name}" is no option of ${owner}; there are ${Object.keys(forms).join(', ')}`);
  }
  for (const [name, form] of Object.entries(forms)) checkOption(name, given[name], form);
}

function checkOption(name: string, value: unknown, form: OptionForm): void {
  if (typeof form !== 'string') {
    if (value === undefined || form.includes(value as string)) return;
    throw new TypeError(`"${name}" must be ${form.map((one) => `"${one}"`).join(' or ')}`);
  }
  const optional = form.endsWith('?');
  if (optional && value === undefined) return;
  const { test, name: wanted } = FORMS[form.replace('?', '') as Form];
  if (value === undefined) throw new TypeError(`"${name}" is missing; it must be ${wanted}`);
  if (!test(value)) throw new TypeError(`"${name}" must be ${wanted}`);
}
