/** Which requests of which user are being worked on. */
export interface Turns {
  /**
   * Begins the work on a request, or takes part in it: it is over when all who take part have ended theirs.
   *
   * @param request - what makes it this request
   * @returns how to end it; `undefined` when the user has too many
   */
  begin(request: object, user: string): (() => void) | undefined;
}

interface Turn {
  readonly user: string;
  parts: number;
}

/** @param most - requests of one user at the same time */
export function createTurns(most: number): Turns {
  const turns = new Map<object, Turn>();
  const of = (user: string): number => {
    let count = 0;
    for (const turn of turns.values()) if (turn.user === user) count += 1;
    return count;
  };
  return {
    begin(request, user) {
      const known = turns.get(request);
      if (!known && of(user) >= most) return undefined;
      const turn = known ?? { user, parts: 0 };
      turn.parts += 1;
      turns.set(request, turn);
      let ended = false;
      return () => {
        if (!ended) turn.parts -= 1;
        ended = true;
        if (turn.parts === 0) turns.delete(request);
      };
    },
  };
}
