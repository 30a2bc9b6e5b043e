import type { JWTPayload } from 'jose';
import { TOKEN_TYPE } from '../core/token-types.ts';
import { oauthError } from './oauth-error.ts';
import type { DevelopmentClient } from './options.ts';
import { permittedTarget } from './policy.ts';
import { audClaim, epochSeconds } from './token-mint.ts';
import { type Parameters, required, single } from './token-request.ts';
import type { TokenVerifier, VerifiedToken } from './token-verifier.ts';

/** A token exchange that has been granted: what to sign and what to answer. */
export interface GrantedExchange {
  readonly claims: JWTPayload;
  /** RFC 8693 section 2.2.1, without `access_token`. */
  readonly response: {
    readonly issued_token_type: string;
    readonly token_type: 'Bearer';
    readonly expires_in: number;
    readonly scope?: string;
  };
}

/** What the exchange grant needs from its surroundings. */
export interface ExchangeGrantContext {
  readonly issuer: string;
  readonly client: DevelopmentClient;
  /** Seconds. */
  readonly accessTokenTtl: number;
  readonly verify: TokenVerifier;
  /** Told who subject and actor are as soon as it is verified, also when the exchange is refused later. */
  readonly onParty: (party: 'sub' | 'act', sub: string) => void;
}

const ACCEPTED_TYPES: ReadonlySet<string> = new Set(Object.values(TOKEN_TYPE));
const REQUESTABLE_TYPES: ReadonlySet<string> = new Set([TOKEN_TYPE.accessToken, TOKEN_TYPE.jwt]);

/**
 * Decides on a token exchange request of an authenticated client, RFC 8693 section 2.
 *
 * @throws `invalid_request` for a bad parameter or token, `invalid_target`, `invalid_scope`
 */
export async function grantExchange(
  parameters: Parameters,
  context: ExchangeGrantContext,
): Promise<GrantedExchange> {
  const issuedTokenType = requestedType(parameters);
  const subject = await verifySubject(parameters, context);
  const actor = await verifyActor(parameters, context);
  checkMayAct(subject, actor, context);
  const target = permittedTarget(parameters, context.client);
  if (target.audiences.length === 0) {
    throw oauthError('invalid_target', 'name the target of the token with audience or resource');
  }

  const now = epochSeconds();
  const exp = Math.min(now + context.accessTokenTtl, subject.exp);
  const act = actClaim(subject, actor);
  const scope = target.scope === undefined ? {} : { scope: target.scope };
  return {
    claims: {
      iss: context.issuer,
      sub: subject.sub,
      aud: audClaim(target.audiences),
      client_id: context.client.clientId,
      iat: now,
      exp,
      ...scope,
      ...(act === undefined ? {} : { act }),
    },
    response: { issued_token_type: issuedTokenType, token_type: 'Bearer', expires_in: exp - now, ...scope },
  };
}

function requestedType(parameters: Parameters): string {
  const type = single(parameters, 'requested_token_type') ?? TOKEN_TYPE.accessToken;
  if (REQUESTABLE_TYPES.has(type)) return type;
  throw oauthError('invalid_request', 'requested_token_type must be access_token or jwt');
}

async function verifySubject(parameters: Parameters, context: ExchangeGrantContext): Promise<VerifiedToken> {
  const token = required(parameters, 'subject_token');
  checkType(parameters, 'subject_token_type');
  const subject = await context.verify(token, 'subject_token');
  context.onParty('sub', subject.sub);
  if (!isForClient(subject, context)) {
    throw oauthError(
      'invalid_request',
      'subject_token is not meant for this client: its aud does not hold the client id',
    );
  }
  return subject;
}

async function verifyActor(
  parameters: Parameters,
  context: ExchangeGrantContext,
): Promise<VerifiedToken | undefined> {
  const token = single(parameters, 'actor_token');
  if (token === undefined) {
    // RFC 8693 section 2.1: the type MUST NOT be included without the token.
    if (single(parameters, 'actor_token_type') === undefined) return undefined;
    throw oauthError('invalid_request', 'actor_token_type is given without actor_token');
  }
  checkType(parameters, 'actor_token_type');
  const actor = await context.verify(token, 'actor_token');
  context.onParty('act', actor.sub);
  // A token made for some other service must not prove who acts: that service could replay it here.
  if (!holdsOneOf(actor, context.issuer, context.client.clientId)) {
    throw oauthError(
      'invalid_request',
      'actor_token is not meant for this server: its aud must hold the issuer',
    );
  }
  return actor;
}

function checkType(parameters: Parameters, name: string): void {
  if (ACCEPTED_TYPES.has(required(parameters, name))) return;
  throw oauthError('invalid_request', `${name} must be access_token, jwt or id_token`);
}

/**
 * A subject token of this server must name the client in `aud`, as Keycloak requires, or be the client's own
 * (from the client credentials grant). One from outside may also be addressed to this server.
 */
function isForClient(subject: VerifiedToken, { issuer, client }: ExchangeGrantContext): boolean {
  if (!subject.own) return holdsOneOf(subject, issuer, client.clientId);
  if (holdsOneOf(subject, client.clientId)) return true;
  const itself = subject.sub === client.clientId && subject.claims.client_id === client.clientId;
  return itself && holdsOneOf(subject, issuer);
}

function holdsOneOf(token: VerifiedToken, ...values: readonly string[]): boolean {
  return values.some((value) => token.audiences.includes(value));
}

/**
 * RFC 8693 section 4.4: `may_act` names the one party that may act for the subject: the actor, or, without an
 * actor token, the client itself. A mismatch is `invalid_request`, which section 2.2.2 prescribes for tokens
 * that are unacceptable based on policy.
 */
function checkMayAct(
  subject: VerifiedToken,
  actor: VerifiedToken | undefined,
  { issuer, client }: ExchangeGrantContext,
): void {
  const mayAct = subject.claims.may_act;
  if (mayAct === undefined) return;
  const { sub, iss } = (mayAct ?? {}) as { sub?: unknown; iss?: unknown };
  const party = actor ?? { sub: client.clientId, issuer };
  if (sub === party.sub && (iss === undefined || iss === party.issuer)) return;
  throw oauthError('invalid_request', 'the may_act claim of subject_token names another actor');
}

/** RFC 8693 section 4.1: the current actor outermost, earlier ones nested. A prior `act` is never lost. */
function actClaim(subject: VerifiedToken, actor: VerifiedToken | undefined): unknown {
  const prior = subject.claims.act;
  if (actor === undefined) return prior;
  return { sub: actor.sub, ...(prior === undefined ? {} : { act: prior }) };
}
