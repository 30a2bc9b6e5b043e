import type { FetchLike } from '../core/http.ts';

/** Takes the tokens that a session sent out of what the server answers in it, before anybody reads that. */
export interface Echo {
  /** A `fetch` that does as the given one, and whose tokens are known from then on. */
  watch(send: FetchLike): FetchLike;
  /** Replaces each known token in a message, wherever it stands, in place. */
  clean(message: object): void;
}

/** An answer is to one of the last requests; a token is replaced at its end, so few are under way at once. */
const MOST = 8;

/** Makes the {@link Echo} of one session. It knows a token as it was sent, not however else a server may spell it. */
export function createEcho(): Echo {
  const sent = new Set<string>();

  const note = (token: string): void => {
    if (sent.has(token)) return;
    sent.add(token);
    if (sent.size > MOST) sent.delete(sent.values().next().value as string);
  };

  const without = (text: string): string => {
    let safe = text;
    for (const token of sent) if (safe.includes(token)) safe = safe.replaceAll(token, '[redacted]');
    return safe;
  };

  const cleanOne = (holder: Record<string, unknown>, name: string): object | undefined => {
    const value = holder[name];
    const safeName = without(name);
    if (safeName !== name) delete holder[name];
    if (typeof value === 'string') holder[safeName] = without(value);
    else if (safeName !== name) holder[safeName] = value;
    return typeof value === 'object' && value !== null ? value : undefined;
  };

  return {
    watch: (send) => (url, init) => {
      const fields = init.headers instanceof Headers ? init.headers : new Headers(init.headers);
      const token = fields.get('authorization')?.replace(/^Bearer /, '');
      if (token) note(token);
      return send(url, init);
    },
    clean(message) {
      // Not by recursion: a server may nest deeper than the stack is.
      const left: object[] = [message];
      for (let holder = left.pop(); holder; holder = left.pop()) {
        for (const name of Object.keys(holder)) {
          const inner = cleanOne(holder as Record<string, unknown>, name);
          if (inner) left.push(inner);
        }
      }
    },
  };
}
