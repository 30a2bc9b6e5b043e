import type { Delegation } from '../broker/delegation.ts';
import { onlook } from '../broker/onlook.ts';
import type { Broker } from '../broker/types.ts';
import { checkOptions } from '../core/options.ts';
import { runAs } from './carrier.ts';
import { lasting } from './inbound-body.ts';
import { type ChallengeOptions, createRefusals, type Refusal } from './inbound-refusal.ts';
import { inboundToken, reasonOf } from './inbound-token.ts';

/** What is read of a request of node:http, and so of Express and Connect. */
export interface NodeRequest {
  readonly headers: { readonly authorization?: string | undefined };
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/** What is used of a response of node:http, and so of Express and Connect. */
export interface NodeResponse {
  readonly headersSent: boolean;
  readonly destroyed?: boolean;
  once(event: 'close', listener: () => void): unknown;
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(body: string): unknown;
}

/** What is used of the context of a Hono middleware. */
export interface HonoContext {
  readonly req: { readonly raw: Request };
  res: Response;
}

/** A request as it came in. */
export type InboundRequest = Request | NodeRequest;

/** Options of {@link createInbound}. The functions may name the request type of their framework. */
export interface InboundOptions extends ChallengeOptions {
  /** What the runs are begun with. */
  readonly broker: Broker;
  /**
   * Verifies the token: signature, issuer, audience. The broker does not; without this, anybody can claim to be
   * anybody until the STS looks at the token.
   *
   * A token is good when what this returns, or resolves to, is truthy, as the result of `jwtVerify` of `jose` is. It is
   * refused (401) when that is falsy, an Error, a Response, or an object that says `active: false` (RFC 7662 section 2.2),
   * `valid: false` or `ok: false`; or when this throws an error that speaks of the token: one of `jose`, or one whose
   * `code` or `errorCode` is `invalid_token`. Any other error says that nobody knows (503). That a token names none of
   * several keys (`ERR_JWKS_MULTIPLE_MATCHING_KEYS` of `jose`) speaks of the token, too: where good ones name none, catch
   * it and try the keys that it iterates over.
   *
   * `'elsewhere'` when a gateway or a middleware before this one verifies it, or when no code decides anything by
   * {@link Delegation.subject}, so that it is enough that the STS verifies it at the first exchange.
   */
  readonly verify: { of(token: string, request: InboundRequest): unknown }['of'] | 'elsewhere';
  /** Names the session: requests of one session and one subject token share tokens while they overlap. Default: none. */
  readonly session?: { of(request: InboundRequest): string | undefined }['of'] | undefined;
  /** Hears why a request was answered 503, unless too many runs are under way. What it throws is dropped. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** The ways in. Each is a function that may be passed around by itself. */
export interface Inbound {
  /**
   * Wraps a web-standard handler. The run lasts until the response's body was read to the end, was cancelled or failed,
   * or the request's `signal` aborts; the body is made under the delegation, too.
   */
  web(
    handler: (request: Request, delegation: Delegation) => Response | Promise<Response>,
  ): (request: Request) => Promise<Response>;
  /** A middleware of Hono: `app.use(inbound.hono)`. The run lasts as long as that of {@link Inbound.web}. */
  hono(context: HonoContext, next: () => Promise<void>): Promise<Response | undefined>;
  /**
   * A middleware of Express (4 and 5), Connect, and whatever hands over the request and response of node:http. The run lasts
   * until the response emits `close`: it is complete, or the client has left. `next` is called for an admitted request
   * only, under its delegation, and never with an error, so it may be the handler itself.
   */
  node(request: NodeRequest, response: NodeResponse, next: () => unknown): void;
}

/**
 * Takes the bearer token of each request (RFC 6750 section 2.1) and runs the handler as that subject: in it, and in all that
 * it awaits, {@link currentDelegation} is the request's own. The run ends when the response is over, not when the
 * handler returns, so that an answer may be streamed.
 *
 * A request without a good token is answered here (RFC 6750 section 3): 401, or 400 when the header is not of one token; 503
 * when too many runs are under way or the token cannot be verified now. Tokens in the query or the body are not looked
 * for.
 *
 * @throws TypeError when an option is not of its form
 */
export function createInbound(options: InboundOptions): Inbound {
  checkInboundOptions(options);
  const { broker, verify, session, onError } = options;
  const refusals = createRefusals(options);

  const admit = async (request: InboundRequest): Promise<Delegation | Refusal> => {
    const found = inboundToken(request);
    if ('reason' in found) return refusals[found.reason];
    const { token } = found;
    try {
      if (verify !== 'elsewhere' && saysNo(await verify(token, request))) return refusals.invalid_token;
      return broker.begin({ subjectToken: token, session: session?.(request) });
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === 'unavailable') onlook(onError, error);
      return refusals[reason];
    }
  };

  /** Runs it, and lets the run last as long as the response that comes of it. */
  const answer = async (
    request: Request,
    delegation: Delegation,
    handler: () => Response | Promise<Response>,
  ): Promise<Response> => {
    const { signal } = request;
    const end = (): void => {
      signal.removeEventListener('abort', end);
      broker.end(delegation);
    };
    try {
      signal.addEventListener('abort', end);
      if (signal.aborted) end();
      return lasting(await runAs(delegation, handler), request.method, { delegation, end });
    } catch (error) {
      end();
      throw error;
    }
  };

  return Object.freeze<Inbound>({
    web: (handler) => async (request) => {
      const admitted = await admit(request);
      if (isRefusal(admitted)) return new Response(admitted.body, admitted);
      return answer(request, admitted, () => handler(request, admitted));
    },

    async hono(context, next) {
      const request = context.req.raw;
      const admitted = await admit(request);
      if (isRefusal(admitted)) return new Response(admitted.body, admitted);
      const response = await answer(request, admitted, async () => {
        await next();
        return context.res;
      });
      // Hono makes a new response of what it is given, which some cannot be made into (101).
      if (response !== context.res) context.res = response;
      return undefined;
    },

    node(request, response, next) {
      let delegation: Delegation | undefined;
      let gone = response.destroyed === true;
      const end = (): void => {
        gone = true;
        if (delegation) broker.end(delegation);
      };
      response.once('close', end);
      const enter = async (): Promise<void> => {
        const admitted = await admit(request);
        if (isRefusal(admitted)) return refuse(response, admitted);
        delegation = admitted;
        // The client left while its token was being verified: nobody will say so again.
        if (gone) return end();
        // Not awaited: what it fails with is the host's, as without us. The response ends the run all the same.
        void runAs(admitted, next);
      };
      void enter();
    },
  });
}

/** Many verifiers say no by an object, and every object is truthy. */
function saysNo(verdict: unknown): boolean {
  if (!verdict || verdict instanceof Error || verdict instanceof Response) return true;
  const { active, valid, ok } = Object(verdict) as Readonly<Record<string, unknown>>;
  return active === false || valid === false || ok === false;
}

function checkInboundOptions(options: InboundOptions): void {
  checkOptions(options, 'createInbound()', {
    broker: 'object',
    verify: 'any',
    session: 'function?',
    onError: 'function?',
    realm: 'text?',
    scope: 'text?',
    resourceMetadata: 'any?',
  });
  if (typeof options.verify !== 'function' && options.verify !== 'elsewhere') {
    throw new TypeError('"verify" must be a function that verifies the token, or "elsewhere"');
  }
}

const isRefusal = (admitted: Delegation | Refusal): admitted is Refusal => 'status' in admitted;

function refuse(response: NodeResponse, { status, headers, body }: Refusal): void {
  // A time limit may have answered while the token was being verified.
  if (response.headersSent) return;
  response.writeHead(status, { ...headers });
  response.end(body);
}
