import type { SecretSource } from '../core/secret.ts';

const FILE = 'file:';
/**
 * A variable with all the `$` before it: the last is the variable's own, and one more makes it plain text. No match
 * starts within a run of `$`: a long run would take the square of its length else.
 */
const VARIABLE = /(?<!\$)(\$+)\{([A-Za-z_][A-Za-z0-9_]*)\}/g;
const ESCAPED_FILE = /^\$+file:/;

/**
 * A text of the config that may stand for a secret: `file:/path` is what the file holds, read anew each time;
 * `${NAME}` anywhere in it is a variable of the environment; everything else is the text itself. With one more `$` in
 * front, `$file:` and `$${NAME}`, they are the text itself too.
 */
export type SecretText = string;

/** Whether the text says where its value is, instead of being it. */
export function isReference(text: SecretText): boolean {
  return text.startsWith(FILE) || [...text.matchAll(VARIABLE)].some(([, dollars]) => dollars === '$');
}

/** The path that a `file:` reference names. */
export function fileOf(text: SecretText): string | undefined {
  return text.startsWith(FILE) ? text.slice(FILE.length) : undefined;
}

/** What stands for exactly this text, whatever it looks like. */
export function literalText(text: string): SecretText {
  return literalUnlessFile(text.replaceAll(VARIABLE, '$$$&'));
}

/**
 * What stands for exactly this text where only `file:` is a reference, as in `instruction`: a prompt may well hold
 * `${NAME}` for its reader.
 */
export function literalUnlessFile(text: string): string {
  return text.startsWith(FILE) || ESCAPED_FILE.test(text) ? `$${text}` : text;
}

/** The path, or the text, that an `instruction` stands for. */
export function textOrFile(text: string): string | { readonly file: string } {
  const file = fileOf(text);
  return file === undefined ? unescapedFile(text) : { file };
}

/**
 * Where the value comes from, for the library.
 *
 * @param environment - for `${NAME}`
 * @throws TypeError that names the variable which is not set
 */
export function secretSource(
  text: SecretText,
  environment: Readonly<Record<string, string | undefined>>,
): SecretSource {
  const file = fileOf(text);
  if (file !== undefined) return { file };
  return unescapedFile(text).replaceAll(VARIABLE, (whole: string, dollars: string, name: string) => {
    if (dollars !== '$') return whole.slice(1);
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (value === undefined) throw new TypeError(`the environment has no variable ${name}`);
    return value;
  });
}

function unescapedFile(text: string): string {
  return ESCAPED_FILE.test(text) ? text.slice(1) : text;
}
