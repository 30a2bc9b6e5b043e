/** Keeps the operator's own secrets for a server out of what that server answers: many quote a key that they do not take. */
export interface QuotedSecrets {
  /** Notes a header field that is sent, by its name in lower case. */
  note(name: string, value: string): void;
  /** The answer without the values that were noted: each reads `[redacted]`, in header fields and body. */
  without(response: Response): Response;
}

/** Shorter values are words that an answer may well hold by itself. */
const SHORTEST = 8;
/** Values of one field that are known: what was sent before a secret was rotated may be quoted after it. */
const MOST_VALUES = 3;
const REDACTED = '[redacted]';
/** The body is another one. */
const ABOUT_BODY: ReadonlySet<string> = new Set(['content-length', 'content-encoding', 'transfer-encoding']);

/**
 * Makes the {@link QuotedSecrets} of one server. A value of 8 characters and more is known as it was sent, without the scheme before it
 * (`Bearer `), and as JSON, a URL or HTML spells it. An event stream is cleaned line by line, everything else as a whole, so
 * its bytes have to be bounded before.
 */
export function createQuotedSecrets(): QuotedSecrets {
  const sent = new Map<string, readonly string[]>();
  let pattern: RegExp | undefined;

  const clean = (text: string): string => {
    pattern ??= patternOf([...sent.values()].flat());
    return text.replaceAll(pattern, REDACTED);
  };

  return {
    note(name, value) {
      const known = sent.get(name) ?? [];
      if (value.length < SHORTEST || known.includes(value)) return;
      sent.set(name, [...known, value].slice(-MOST_VALUES));
      pattern = undefined;
    },
    without(response) {
      const { status, headers, body } = response;
      // The body of a redirect is read by nobody.
      if (sent.size === 0 || (status >= 300 && status < 400)) return response;
      const fields = new Headers();
      for (const [name, value] of headers) {
        // The name of a session is sent back as it came.
        if (!ABOUT_BODY.has(name)) fields.append(name, name === 'mcp-session-id' ? value : clean(value));
      }
      const byLine = headers.get('content-type')?.trim().toLowerCase().startsWith('text/event-stream');
      const cleaned = body?.pipeThrough(cleaning(clean, byLine === true)) ?? null;
      return new Response(cleaned, { status: Math.min(status, 599), headers: fields });
    },
  };
}

/** Bytes are taken for characters, so that those that are no text come out as they are. */
function cleaning(
  clean: (text: string) => string,
  byLine: boolean,
): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  // Joined only where a line ends, or a long line of many pieces would be copied at each of them.
  let pieces: string[] = [];
  return new TransformStream({
    transform(chunk, controller) {
      const text = Buffer.from(chunk).toString('latin1');
      pieces.push(text);
      if (!byLine || !/[\r\n]/.test(text)) return;
      const whole = pieces.join('');
      const end = Math.max(whole.lastIndexOf('\n'), whole.lastIndexOf('\r')) + 1;
      controller.enqueue(Buffer.from(clean(whole.slice(0, end)), 'latin1'));
      pieces = [whole.slice(end)];
    },
    flush(controller) {
      const rest = clean(pieces.join(''));
      if (rest !== '') controller.enqueue(Buffer.from(rest, 'latin1'));
    },
  });
}

function patternOf(values: readonly string[]): RegExp {
  const secrets = values.flatMap((value) => {
    const [, credentials = ''] = /^[A-Za-z][\w-]* +(.+)$/.exec(value) ?? [];
    return credentials.length < SHORTEST ? [value] : [value, credentials];
  });
  // A secret may hold another one.
  const longestFirst = secrets.sort((a, b) => b.length - a.length);
  const each = longestFirst.map((secret) => [...secret.replace(/\\+/g, '\\')].map(spelt).join(''));
  return new RegExp(each.join('|'), 'g');
}

const NAMED: Readonly<Record<string, string>> = {
  '&': 'amp',
  '<': 'lt',
  '>': 'gt',
  '"': 'quot',
  "'": 'apos',
};

/** A character with all the ways to spell it: as itself, in JSON, also JSON in JSON, in a URL, and in HTML. */
function spelt(char: string, index: number, all: readonly string[]): string {
  if (char === '\\') return '(?:\\\\{1,8}(?:u005[cC])?|(?:%5[cC]){1,4})';
  const code = char.charCodeAt(0);
  const hex = code.toString(16).padStart(2, '0');
  const anyCase = hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
  const forms = [`\\x${hex}`, `u00${anyCase}`, `%${anyCase}`, `&#0{0,4}${code};`, `&#[xX]0{0,4}${anyCase};`];
  if (NAMED[char] !== undefined) forms.push(`&${NAMED[char]};`);
  // Sent as one byte; repeated, perhaps, as UTF-8.
  if (code > 0x7f) forms.push([...Buffer.from(char)].map((byte) => `\\x${byte.toString(16)}`).join(''));
  // Not after a backslash of the secret's own: which of the two one belongs to would be tried for each.
  const escapes = all[index - 1] === '\\' ? '' : '\\\\{0,8}';
  return `${escapes}(?:${forms.join('|')})`;
}
