import type { Delegation } from '../broker/delegation.ts';
import type { Broker } from '../broker/types.ts';
import type { FetchLike } from '../core/http.ts';
import { type ResolvedTarget, resolveTarget } from '../core/target.ts';
import { type BearerChallenge, readChallenge } from './challenge.ts';
import { withToken } from './headers.ts';
import { redactedResponse } from './redacted-response.ts';
import { rejected } from './rejection.ts';
import { isReplayable } from './request.ts';
import type { McpServer } from './server.ts';

/**
 * Makes a `fetch` for one server that gives each request the token of whom it is for.
 *
 * - 401 `invalid_token`, or 401 without an error code: that very token is dropped, another is got, and the request is
 *   made once more. Many that meet a 401 at once make one exchange.
 * - 403 `insufficient_scope`: where the server may ask for those scopes (`stepUpScopes`), a token that has them too is
 *   got, and the request is made once more.
 * - What is left of 401 and 403 is thrown: OnbehalfError `server_rejected_token` or `insufficient_scope`.
 */
export function authorizedFetch(broker: Broker, server: McpServer, delegation: () => Delegation): FetchLike {
  return async (url, init) => {
    // Before a token is asked for: a request that is not sent needs none.
    server.assertPinned(url);
    const caller = delegation();
    const signal = init.signal ?? undefined;
    let target = server.target ?? (await server.resolveTarget(signal));
    let renewed = false;
    let raised = false;
    for (;;) {
      const token = await broker.token(caller, target, { signal });
      const headers = withToken(init.headers, token.accessToken);
      const response = await server.fetch(url, { ...init, headers });
      if (response.status < 400) return response;
      if (response.status !== 401 && response.status !== 403) {
        return redactedResponse(response, token.accessToken);
      }
      const challenge = readChallenge(response);
      const mayRepeat = isReplayable(init.body);
      const refused = refusesToken(response, challenge);
      // A fresh one that is refused too is kept: the next request may fare better, and the session's end is said with it.
      if (refused && !renewed) broker.reject(caller, target, token.accessToken);
      const higher = raised ? undefined : raise(server, target, { response, challenge });
      void response.body?.cancel().catch(() => {});
      if (mayRepeat && refused && !renewed) {
        renewed = true;
      } else if (mayRepeat && higher) {
        raised = true;
        target = higher;
      } else {
        throw rejected(server, response.status, { challenge, token: token.accessToken });
      }
    }
  };
}

/** RFC 6750 section 3.1; many servers leave the error code out. With another code the token is as good as before. */
function refusesToken({ status }: Response, challenge: BearerChallenge | undefined): boolean {
  return status === 401 && (challenge?.error === undefined || challenge.error === 'invalid_token');
}

const raisedTargets = new WeakMap<ResolvedTarget, Map<string, ResolvedTarget>>();

/** The target with the scopes that a 403 asks for, if the server may ask for them and they are not in it already. */
function raise(
  server: McpServer,
  target: ResolvedTarget,
  { response, challenge }: { response: Response; challenge: BearerChallenge | undefined },
): ResolvedTarget | undefined {
  if (response.status !== 403 || challenge?.error !== 'insufficient_scope') return undefined;
  const asked = new Set((challenge.scope ?? []).filter((scope) => !target.scopes.includes(scope)));
  const allowed = server.stepUpScopes.filter((scope) => !target.scopes.includes(scope));
  if (asked.size === 0 || ![...asked].every((scope) => allowed.includes(scope))) return undefined;
  // The broker knows a target by its object.
  const known = raisedTargets.get(target) ?? new Map<string, ResolvedTarget>();
  raisedTargets.set(target, known);
  // A server that asks for ever other sets gets one token with all that it may ask for, not one for each.
  const wanted = allowed.filter((scope) => asked.has(scope));
  const missing = known.has(wanted.join(' ')) || known.size < MOST_SETS ? wanted : allowed;
  const name = missing.join(' ');
  const higher = known.get(name) ?? resolveTarget(withScopes(target, missing));
  known.set(name, higher);
  return higher;
}

const MOST_SETS = 16;

function withScopes(target: ResolvedTarget, more: readonly string[]): Parameters<typeof resolveTarget>[0] {
  const { audiences, resources, scopes, ...rest } = target;
  return { ...rest, audience: audiences, resource: resources, scope: [...scopes, ...more] };
}
