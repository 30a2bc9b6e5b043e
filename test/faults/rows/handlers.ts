import type { Handler } from '../../support/loopback.ts';
import { granting } from '../../support/sts.ts';

/** These answers, one for each request, and then what is asked for. */
export function first(...handlers: readonly Handler[]): Handler {
  const left = [...handlers];
  const grant = granting();
  return (request, response) => (left.shift() ?? grant)(request, response);
}

/** Sends whoever asks to another server. */
export const redirect =
  (status: number, { origin }: { readonly origin: string }, path = '/'): Handler =>
  (_request, response) =>
    void response.writeHead(status, { location: `${origin}${path}` }).end();

/** An answer of a status line only. */
export const bare =
  (status: number, headers: Readonly<Record<string, string>> = {}): Handler =>
  (_request, response) =>
    void response.writeHead(status, headers).end();

/** Answers of a token endpoint that wait until they are let go, and then are as asked. */
export interface Held {
  readonly handler: Handler;
  release(): void;
}

export function hold(then: Handler = granting()): Held {
  let waiting: (() => void)[] = [];
  let open = false;
  return {
    handler(request, response) {
      const answer = (): void => then(request, response);
      if (open) answer();
      else waiting.push(answer);
    },
    release() {
      open = true;
      for (const answer of waiting) answer();
      waiting = [];
    },
  };
}
