import type { KoaContextWithOIDC } from 'oidc-provider';
import { isOAuthError, oauthError } from './oauth-error.ts';
import type { SubjectTokenOptions } from './options.ts';
import { readBody } from './request-body.ts';
import type { Middleware } from './token-endpoint.ts';

/** Where a user's sign-in is stood in for. */
const SUBJECT_TOKEN_PATH = '/development/subject-token';

/**
 * `POST /development/subject-token`: JSON `{ "sub", "audience", "scope"? }` to `{ "subject_token" }`.
 * No standard; it stands in for the sign-in of a user, without a password.
 */
export function subjectTokenEndpoint(mint: (options: SubjectTokenOptions) => Promise<string>): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== SUBJECT_TOKEN_PATH) return next();
    ctx.set('Cache-Control', 'no-store');
    try {
      ctx.body = { subject_token: await mint(await readRequest(ctx)) };
    } catch (error) {
      if (!isOAuthError(error)) throw error;
      ctx.status = 400;
      ctx.body = { error: error.error, error_description: error.errorDescription };
    }
  };
}

async function readRequest(ctx: KoaContextWithOIDC): Promise<SubjectTokenOptions> {
  if (ctx.method !== 'POST' || !ctx.is('application/json')) throw refused('POST a JSON body');
  // Browsers name the origin of a page that posts: no web page may collect tokens from a developer's machine.
  if (ctx.get('origin') !== '') throw refused('requests from web pages are not served');
  const { sub, audience, scope } = parse(await readBody(ctx.req));
  if (typeof sub !== 'string') throw refused('sub must be a string');
  if (!isAudience(audience)) throw refused('audience must be a string or an array of strings');
  if (scope !== undefined && typeof scope !== 'string') throw refused('scope must be a string');
  return { sub, audience, ...(scope === undefined ? {} : { scope }) };
}

function parse(body: Buffer | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body?.toString('utf8') ?? '');
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Falls through: not JSON and not an object are the same mistake.
  }
  throw refused('the body must be a JSON object');
}

function isAudience(value: unknown): value is string | string[] {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.length > 0 && values.every((item) => typeof item === 'string' && item !== '');
}

function refused(description: string): Error {
  return oauthError('invalid_request', description);
}
