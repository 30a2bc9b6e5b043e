// What a call came to, read from what the client gave, however the client's framework words it.

/** A call that its server answered, or one that failed, with the code of Onbehalf if there is one. */
export type Outcome =
  | { readonly kind: 'answered'; readonly sub: unknown; readonly marker: unknown }
  | { readonly kind: 'failed'; readonly code: string | undefined; readonly said: string };

/** Reads the text of a tool's result: what the suite's tool says, or a structured error. */
export function outcomeOfText(text: string): Outcome {
  const { sub, marker } = parsed(text);
  if (sub !== undefined) return { kind: 'answered', sub, marker };
  return { kind: 'failed', code: codeIn(text), said: text.slice(0, 200) };
}

/** Reads what a client threw. */
export function outcomeOfError(error: unknown): Outcome {
  const said: string[] = [];
  let code: string | undefined;
  let current = error as { code?: unknown; message?: unknown; cause?: unknown } | undefined;
  for (let depth = 0; current && depth < 8; depth++) {
    if (typeof current.code === 'string' && /^[a-z_]+$/.test(current.code)) code ??= current.code;
    code ??= codeIn(String(current.message));
    said.push(String(current.message ?? current).slice(0, 200));
    current = current.cause as typeof current;
  }
  return { kind: 'failed', code, said: said.join(' < ') };
}

/** The code of `{ "error": { "code": ... } }`, also where it is quoted within something else. */
function codeIn(text: string): string | undefined {
  return /\\?"code\\?":\s*\\?"([a-z_]+)\\?"/.exec(text)?.[1];
}

function parsed(text: string): { readonly sub?: unknown; readonly marker?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
