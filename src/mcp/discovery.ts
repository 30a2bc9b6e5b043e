import { httpStatus } from './call-failure.ts';

/**
 * Under which identity a server's tools are listed. `auto` tries without any; where the server answers 401, with the
 * agent's own credential if there is one; else with the user's delegated token.
 */
export type DiscoveryPolicy = 'auto' | 'anonymous' | 'agent' | 'delegated';

/** Under whose identity something is found out. */
export type Who = Exclude<DiscoveryPolicy, 'auto'>;

/**
 * Tries one identity after the other until the server refuses it not.
 *
 * @param whos - those that there are, in the order of `auto`
 * @param known - what was found to work; it goes first
 * @throws what `attempt` throws: at once, unless it is a refusal; of refusals the last
 */
export async function tryInTurn<T>(
  whos: readonly Who[],
  known: Who | undefined,
  attempt: (who: Who) => Promise<T>,
): Promise<T> {
  const first = known && whos.includes(known) ? [known] : [];
  const order = [...first, ...whos.filter((who) => who !== first[0])];
  for (const who of order) {
    try {
      return await attempt(who);
    } catch (error) {
      if (who === order.at(-1) || !isRefusal(httpStatus(error))) throw error;
    }
  }
  throw new Error('unreachable');
}

/** Whether a status says that the server wants another identity. */
export const isRefusal = (status: number | undefined): boolean => status === 401 || status === 403;
